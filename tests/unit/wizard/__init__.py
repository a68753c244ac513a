"""Tests of the wizard's pure parts."""
