"""Untrusted texts and times made storable: no zero characters, bounded length, an instant that a calendar has."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

NAME_LIMIT = 200
DESCRIPTION_LIMIT = 2_000
DETAIL_LIMIT = 2_000


def clipped(text: str, limit: int = DETAIL_LIMIT) -> str:
    """Text of at most `limit` characters (an ellipsis marks a cut), without characters that Postgres can't store."""
    storable = text.replace("\x00", "\N{REPLACEMENT CHARACTER}")
    return storable if len(storable) <= limit else storable[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


def instant(time: datetime) -> datetime:
    """The time in UTC; one at the very edge of the calendar, where an offset leads out of it, is moved inside."""
    try:
        found = time.astimezone(UTC)
    except OverflowError:
        return EARLIEST if time.year == 1 else LATEST
    return min(max(found, EARLIEST), LATEST)


def micros(time: datetime) -> int:
    """Microseconds since 1970-01-01 UTC."""
    return (instant(time) - EPOCH) // _MICROSECOND


def from_micros(time_us: int) -> datetime:
    """The instant so many microseconds after 1970-01-01 UTC."""
    return EPOCH + timedelta(microseconds=time_us)


def iso(time: datetime) -> str:
    """The instant as RFC 3339 text in UTC, ending in Z."""
    return instant(time).isoformat().replace("+00:00", "Z")
