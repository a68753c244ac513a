"""Files of directories, without Kafka."""
