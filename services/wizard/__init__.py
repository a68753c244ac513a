"""Turns a person's choices into one request."""
