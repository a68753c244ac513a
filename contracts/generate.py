"""Write, or compare, everything that follows from the contracts: `python -m contracts.generate [--check]`.

Schemas, the AsyncAPI document and docs/events.md follow the models. An example is made once and frozen: it is never
written again. A schema that breaks an earlier one's promises is not written: the change needs a new version.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from contracts.async_api import document
from contracts.codec import EVENT_BY_TYPE, TOPIC_BY_TYPE, UnreadableError, decode, encode
from contracts.compatibility import broken_promises
from contracts.event_table import page
from contracts.json_schema import schema_of
from contracts.samples import sample_envelopes

DOCUMENT_VERSION = "1.0.0"
"""The version of the AsyncAPI document: its second number grows with each addition."""

CONTRACTS = Path(__file__).parent


def wanted_files(root: Path) -> dict[Path, str]:
    """Give every generated file below the repository's root with the text that it has to have."""
    contracts = root / "contracts"
    schemas = {contracts / "schemas" / f"{name}.json": _pretty(schema_of(name)) for name in EVENT_BY_TYPE}
    return {
        **schemas,
        contracts / "asyncapi.json": _pretty(document(DOCUMENT_VERSION)),
        root / "docs" / "events.md": page(),
    }


def missing_examples(root: Path) -> dict[Path, str]:
    """Give the examples of types that have none yet."""
    folder = root / "contracts" / "examples"
    return {
        folder / f"{name}.json": _pretty(json.loads(encode(envelope)))
        for name, envelope in sample_envelopes().items()
        if not (folder / f"{name}.json").exists()
    }


def incompatible_schemas(root: Path) -> list[str]:
    """Give every promise of a committed schema that the models no longer keep."""
    problems: list[str] = []
    for path in sorted((root / "contracts" / "schemas").glob("*.json")):
        if path.stem not in EVENT_BY_TYPE:
            problems.append(f"{path.stem}: the type is gone")
            continue
        old = json.loads(path.read_text(encoding="utf-8"))
        problems += [f"{path.stem}{broken}" for broken in broken_promises(old, schema_of(path.stem))]
    return problems


def undecodable_examples(root: Path) -> list[str]:
    """Give every frozen example, of every version ever, that the models no longer read."""
    problems: list[str] = []
    for path in sorted((root / "contracts" / "examples").glob("*.json")):
        try:
            read_example(path)
        except (UnreadableError, KeyError) as error:
            problems.append(f"{path.stem}: the frozen example can't be read: {error}")
    return problems


def read_example(path: Path) -> Any:  # noqa: ANN401 - the envelope of whatever type the file has
    """Decode a frozen example as if it came from its topic. Raises UnreadableError, KeyError for an unknown type."""
    body = path.read_bytes()
    named = json.loads(body)
    return decode(TOPIC_BY_TYPE[named["type"]], named["partitionkey"].encode(), body, [])


def _pretty(value: Any) -> str:  # noqa: ANN401 - any JSON value
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _different(path: Path, text: str) -> bool:
    return not path.exists() or path.read_text(encoding="utf-8") != text


def differences(root: Path) -> list[str]:
    """Give everything that would have to be written, and everything that must not be."""
    stale = [
        f"{path.relative_to(root)}: {'stale' if path.exists() else 'missing'}"
        for path, text in {**wanted_files(root), **missing_examples(root)}.items()
        if _different(path, text)
    ]
    return incompatible_schemas(root) + undecodable_examples(root) + stale


def write(root: Path) -> list[str]:
    """Write what differs, unless that would break a promise; give the problems that stopped it."""
    problems = incompatible_schemas(root) + undecodable_examples(root)
    if problems:
        return problems
    for path, text in {**wanted_files(root), **missing_examples(root)}.items():
        if _different(path, text):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    return []


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 1 with a list when something differs (--check) or a promise would be broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare and write nothing")
    parser.add_argument("--root", type=Path, default=CONTRACTS.parent, help="the repository's root")
    options = parser.parse_args(arguments)
    problems = differences(options.root) if options.check else write(options.root)
    sys.stdout.write("".join(f"{problem}\n" for problem in problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
