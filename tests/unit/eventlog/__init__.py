"""Event log mechanics without Kafka or Postgres."""
