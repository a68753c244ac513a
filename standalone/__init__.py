"""Kafka, Postgres and the services on one machine: the engine behind planshift up."""
