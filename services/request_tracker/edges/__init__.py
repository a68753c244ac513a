"""Where the tracker touches Kafka, Postgres and HTTP."""
