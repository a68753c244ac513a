"""The tracker's settings: those of every service, and how it folds and answers."""

from pydantic import Field

from eventlog.connections import KafkaSettings
from serving.settings import ServiceSettings

READER = "tracker"
"""Name of the reader of requests and engine events: its consumer group (behind the topic prefix) tells the lag."""

DIRECTORY_READER = "tracker-directory"
"""Name of the reader of names; apart, so that an import of a directory never delays the counts."""


class TrackerSettings(ServiceSettings):
    """What the tracker needs to know to start."""

    fold_records: int = Field(default=6_000, ge=1, le=100_000, description="records of one fold's transaction")
    live_tick_s: float = Field(default=0.5, gt=0, le=60, description="seconds between two states of a watched request")
    database_connections: int = Field(default=10, ge=3, le=100, description="connections to Postgres at the most")

    @property
    def kafka_settings(self) -> KafkaSettings:
        """Where the topics are."""
        return KafkaSettings(self.kafka, self.topic_prefix, client_id=f"planshift-tracker/{self.instance}")
