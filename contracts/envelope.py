"""The CloudEvents 1.0 envelope around every event, and its making."""

from datetime import datetime
from typing import Any, Generic, Literal, Protocol, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.identifiers import Identifier

CONTENT_TYPE = "application/cloudevents+json; charset=UTF-8"
"""The `content-type` header of a structured-mode record."""

WIZARD_SOURCE = "/planshift/wizard"
ENGINE_SOURCE = "/planshift/provisioning-engine"
IMPORT_SOURCE = "/planshift/directory-import"

KNOWN_SOURCE_PREFIX = "/planshift/"
"""Sources of our own: an event type of theirs that a reader doesn't know yet is skipped, or rolling upgrades break."""


class EventData(Protocol):
    """What every event's data knows of itself."""

    TYPE: str

    def key(self) -> str:
        """Give the record's key."""
        ...

    def subject(self) -> str:
        """Give what the event is about."""
        ...


D = TypeVar("D")


class Envelope(BaseModel, Generic[D]):
    """One event on the wire, in structured mode.

    `sequence` (20 digits, gapless per source and partition, from 1) is there when the writer has a ledger.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")
    specversion: Literal["1.0"] = "1.0"
    id: str = Field(min_length=1, max_length=512)
    source: str = Field(min_length=1, max_length=512)
    type: str = Field(min_length=1, max_length=256)
    subject: str | None = Field(default=None, max_length=512)
    time: AwareDatetime
    datacontenttype: str = "application/json"
    sequence: str | None = Field(default=None, pattern=r"^[0-9]{1,20}$")
    partitionkey: str | None = None
    correlationid: str | None = Field(default=None, max_length=512)
    causationid: str | None = Field(default=None, max_length=512)
    traceparent: str | None = Field(default=None, max_length=128)
    data: D


AnyEnvelope = Envelope[Any]


def wrap(
    data: Any,  # noqa: ANN401 - any of the contracts' models; Envelope's parameter says which
    *,
    event_id: str,
    source: str,
    time: datetime,
    sequence: int | None = None,
    correlation_id: Identifier | None = None,
    causation_id: str | None = None,
    traceparent: str | None = None,
) -> AnyEnvelope:
    """Put an event's data into its envelope."""
    return Envelope[Any].model_construct(
        specversion="1.0",
        id=event_id,
        source=source,
        type=data.TYPE,
        subject=data.subject(),
        time=time,
        datacontenttype="application/json",
        sequence=None if sequence is None else f"{sequence:020d}",
        partitionkey=data.key(),
        correlationid=correlation_id,
        causationid=causation_id,
        traceparent=traceparent,
        data=data,
    )
