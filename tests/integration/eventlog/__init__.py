"""Event log mechanics on a real Kafka and a real Postgres."""
