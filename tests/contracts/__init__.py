"""Tests of what is promised to others."""
