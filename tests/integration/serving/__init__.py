"""Tests of serving over real HTTP and on a real Postgres."""
