"""`planshift events`: what travelled over the topics, live or from the beginning, and sending it again."""

import asyncio
import contextlib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from cli.output import AsJson, console, note, print_json, print_json_line, say

if TYPE_CHECKING:
    from aiokafka import ConsumerRecord

app = typer.Typer(no_args_is_help=True, help="See, export and republish events.")

Topic = Annotated[str, typer.Option(help="provisioning, requests, directory or quarantine.")]
OfRequest = Annotated[str | None, typer.Option("--request", help="Only events about this request.")]


@app.command()
def tail(
    topic: Topic = "provisioning",
    request: OfRequest = None,
    from_start: Annotated[bool, typer.Option(help="Begin with the oldest event.")] = False,
    once: Annotated[bool, typer.Option(help="Stop at the present end.")] = False,
    json_output: AsJson = False,
) -> None:
    """Show events as they come, until Ctrl-C."""
    asyncio.run(_tail(topic, request, from_start=from_start, follow=not once, as_json=json_output))


@app.command()
def export(
    out: Annotated[Path | None, typer.Option(help="The file to write; else stdout.")] = None,
    topic: Topic = "provisioning",
    request: OfRequest = None,
) -> None:
    """Write every event of a topic as JSON lines, with its place and headers."""
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(out.open("w", encoding="utf-8")) if out else sys.stdout
        count = asyncio.run(_export(topic, request, target))
    note(f"{count:,} events exported" + (f" to {out}" if out else ""))


@app.command()
def republish(
    shard: Annotated[int, typer.Argument(help="The shard, a partition of provisioning.events.", min=0)],
    from_sequence: Annotated[int, typer.Option("--from", help="The first sequence to send again.", min=1)],
    json_output: AsJson = False,
) -> None:
    """Send a shard's events again from the engine's ledger, for a reader that misses some; nobody folds one twice."""
    from cli.places import client

    with client("engine") as engine:
        answer = engine.post("/v1/events/republish", {"shard": shard, "from_sequence": from_sequence})
    if json_output:
        print_json(answer)
    else:
        say(f"The engine sends the events of shard {shard} again from sequence {from_sequence:,}.")


async def _tail(topic: str, request: str | None, *, from_start: bool, follow: bool, as_json: bool) -> None:
    from cli.places import find
    from cli.topics import as_document, read, topic_named

    places = find()
    async for record in read(places, topic_named(topic), from_start=from_start, follow=follow):
        if not _concerns(record, request):
            continue
        document = as_document(record, places.topic_prefix)
        if as_json:
            print_json_line(document)
            sys.stdout.flush()
        else:
            console().print(_line(document), markup=False, overflow="ellipsis", no_wrap=True)


async def _export(topic: str, request: str | None, target: TextIO) -> int:
    import json

    from cli.places import find
    from cli.progress import counting
    from cli.topics import as_document, read, topic_named

    places, written = find(), 0
    with counting("Exporting") as advance:
        async for record in read(places, topic_named(topic), from_start=True, follow=False, on_read=advance):
            if _concerns(record, request):
                target.write(json.dumps(as_document(record, places.topic_prefix), ensure_ascii=False) + "\n")
                written += 1
    return written


def _concerns(record: "ConsumerRecord", request: str | None) -> bool:
    # Cheap and never wrong about a "no": the id stands in the document as it is, for it needs no escaping in JSON.
    return request is None or (record.value is not None and request.encode() in record.value)


def _line(document: dict[str, Any]) -> str:
    event = document.get("event")
    place = f"{document['time'][11:23]}  {document['partition']:>2}@{document['offset']:<9}"
    if not isinstance(event, dict):
        return f"{place} {document['key']}  (not JSON)"
    # In binary mode the attributes are headers.
    kind = str(event.get("type") or document["headers"].get("ce_type", "?")).removeprefix("planshift.")
    return f"{place} {kind:<46} {event.get('subject') or document['key']}"
