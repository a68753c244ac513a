"""Tests of the provisioning engine on a real Kafka and a real Postgres."""
