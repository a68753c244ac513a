"""The words from which a made-up directory takes its names; they are in `words/`."""

from pathlib import Path

_FOLDER = Path(__file__).parent / "words"


def _words(name: str) -> tuple[str, ...]:
    return tuple((_FOLDER / f"{name}.txt").read_text(encoding="utf-8").split())


FIRST_NAMES = _words("first_names")
LAST_NAMES = _words("last_names")
TRADES = _words("trades")
PLACES = _words("places")
RESELLER_FORMS = ("IT", "Cloud", "Networks", "Hosting", "Systems", "Telecom", "Services", "Online")
