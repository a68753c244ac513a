"""The readers that feed a projection: one for requests and the engine's events, one for names."""

from contracts.envelope import WIZARD_SOURCE
from contracts.topics import DIRECTORY, PROVISIONING, REQUESTS
from eventlog.alarms import Alarms
from eventlog.connections import KafkaSettings
from eventlog.database import Pool
from eventlog.reader import Reader, Subscription
from services.request_tracker.domain.directory_words import WANTED_TYPES
from services.request_tracker.edges.folding import fold

WIZARD_MARK = f'"source":"{WIZARD_SOURCE}"'.encode()
"""Only the wizard's records of the requests' topic are counted: other writers have no ledger."""

_COUNTED = (
    Subscription(PROVISIONING.name, sequenced=True),
    Subscription(REQUESTS.name, sequenced=True, mark=WIZARD_MARK),
)


def make_readers(
    pool: Pool, kafka: KafkaSettings, names: tuple[str, str], *, max_records: int, alone: bool, alarms: Alarms
) -> list[Reader]:
    """Give the two readers; their names are those of the stored positions.

    Apart, so that an import of a directory never delays the counts.
    """
    counts, directory = names
    return [
        Reader(pool, kafka, counts, _COUNTED, fold, max_records=max_records, alone=alone, alarms=alarms),
        Reader(
            pool,
            kafka,
            directory,
            [Subscription(DIRECTORY.name)],
            fold,
            wanted_types=WANTED_TYPES,
            max_records=max_records,
            alone=alone,
            alarms=alarms,
        ),
    ]
