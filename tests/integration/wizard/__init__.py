"""Tests of the wizard on a real Kafka and a real Postgres."""
