"""Folds the events into what operators query."""
