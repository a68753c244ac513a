"""Tests of the whole way of the data."""
