"""Edges of the wizard: Kafka, Postgres and HTTP."""
