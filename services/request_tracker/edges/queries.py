"""The named queries of the service, by file."""

from pathlib import Path

from eventlog.sqlfile import load_queries

_FOLDER = Path(__file__).parent.parent / "queries"

FOLD = load_queries(_FOLDER / "fold.sql")
REQUESTS = load_queries(_FOLDER / "requests.sql")
USERS = load_queries(_FOLDER / "users.sql")
EVENTS = load_queries(_FOLDER / "events.sql")
GENERATIONS = load_queries(_FOLDER / "generations.sql")
DUMP = load_queries(_FOLDER / "dump.sql")
