"""Tests by reach: unit, contracts, integration, e2e, architecture."""
