"""Where the engine touches Kafka, Postgres, connectors and HTTP."""
