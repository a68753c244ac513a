"""Tests of serving without a server."""
