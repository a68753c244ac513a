"""Directories in files: made up from a seed, imported, exported."""
