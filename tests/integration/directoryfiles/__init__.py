"""Imports of directories, on a real Kafka."""
