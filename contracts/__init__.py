"""What the services know of each other: the envelope, the topics and every event."""
