"""An import publishes what differs from the topic's last word, and nothing else."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from contracts import directory
from contracts.codec import encode
from contracts.envelope import wrap
from contracts.topics import DIRECTORY, TOPICS
from directoryfiles.catching_up import cluster_of
from directoryfiles.generate import write_directory
from directoryfiles.index import ImportRunningError, Index
from directoryfiles.publish import ImportOptions
from directoryfiles.reading import Stage
from eventlog.connections import KafkaSettings
from eventlog.partitions import partition_of
from standalone.kafka import create_topics
from tests.integration.directoryfiles.imports import FIRST_NIGHT, Importer
from tests.unit.directoryfiles.folders import GOOD_FILES, write
from tests.waiting import eventually

ENTITIES = 12


@pytest.fixture
def importer(kafka: str, topic_prefix: str, tmp_path: Path) -> Importer:
    """An importer with an empty topic and an empty cache."""
    return Importer(KafkaSettings(kafka, topic_prefix), tmp_path / "cache")


def _other_machine(importer: Importer, tmp_path: Path) -> Importer:
    return Importer(importer.kafka, tmp_path / "other-cache", importer.nights)


async def test_an_import_publishes_every_entity_where_its_key_belongs(importer: Importer, tmp_path: Path) -> None:
    result = await importer.take(write(tmp_path / "files"))
    assert (result.rows, result.bad_rows, result.published, result.unchanged) == (ENTITIES, 0, ENTITIES, 0)
    records = await importer.records()
    assert len(records) == ENTITIES
    for record in records:
        assert record.partition == partition_of(record.key.decode(), DIRECTORY.partitions)
        assert dict(record.headers)["type"] == json.loads(record.value)["type"].encode()
    events = await importer.events()
    assert {event.source for event in events} == {"/planshift/directory-import/test"}
    assert len({event.id for event in events}) == ENTITIES


async def test_the_same_file_again_publishes_nothing(importer: Importer, tmp_path: Path) -> None:
    files = write(tmp_path / "files")
    await importer.take(files)
    again = await importer.take(files)
    assert (again.published, again.unchanged) == (0, ENTITIES)
    assert len(await importer.records()) == ENTITIES


async def test_the_same_file_from_another_machine_publishes_nothing(importer: Importer, tmp_path: Path) -> None:
    files = write(tmp_path / "files")
    await importer.take(files)
    again = await _other_machine(importer, tmp_path).take(files)
    assert (again.published, again.unchanged) == (0, ENTITIES)


async def test_only_what_changed_is_published_with_a_newer_revision(importer: Importer, tmp_path: Path) -> None:
    await importer.take(write(tmp_path / "files"))
    changed = GOOD_FILES["assignments.csv"].replace("u1,exchange,gold", "u1,exchange,silver")
    result = await importer.take(write(tmp_path / "files", assignments=changed))
    assert result.published_by_kind == {"assignment": 1}
    said = [event.data for event in await importer.events() if event.data.key() == "assignment/acme/u1/exchange"]
    assert [data.plan for data in said] == ["gold", "silver"]
    assert said[0].revision < said[1].revision


async def test_another_system_s_word_is_heard(importer: Importer, tmp_path: Path) -> None:
    files = write(tmp_path / "files")
    await importer.take(files)
    theirs = directory.UserPlanAssigned(revision=2**60, customer="acme", user="u1", service="exchange", plan="silver")
    same = directory.UserPlanAssigned(revision=2**60, customer="acme", user="u2", service="exchange", plan="silver")
    spaced = [
        json.dumps(json.loads(encode(wrap(data, event_id="x", source="/crm", time=FIRST_NIGHT))), indent=1)
        for data in (theirs, same)
    ]
    await importer.publish([(theirs.key().encode(), spaced[0].encode()), (same.key().encode(), spaced[1].encode())])
    result = await importer.take(files)
    assert result.published_by_kind == {"assignment": 1}
    last = await importer.events()
    assert max(event.data.revision for event in last if event.data.key() == theirs.key()) == 2**60 + 1


async def test_strict_publishes_nothing_if_any_row_is_bad(importer: Importer, tmp_path: Path) -> None:
    files = write(tmp_path / "files", users=GOOD_FILES["users.csv"] + "acme,u 3,Eve,\n")
    result = await importer.take(files, strict=True)
    assert (result.refused, result.bad_rows, result.published) == (True, 1, 0)
    assert [(bad.file, bad.line) for bad in importer.bad] == [("users.csv", 4)]
    assert await importer.records() == []


async def test_without_strict_the_good_rows_are_published(importer: Importer, tmp_path: Path) -> None:
    files = write(tmp_path / "files", users=GOOD_FILES["users.csv"] + "acme,u 3,Eve,\nnobody,u4,Eve,\n")
    result = await importer.take(files)
    assert (result.bad_rows, result.published) == (2, ENTITIES)
    assert [bad.line for bad in importer.bad] == [4, 5]


async def test_later_files_may_refer_to_what_was_imported_before(importer: Importer, tmp_path: Path) -> None:
    await importer.take(write(tmp_path / "files"))
    (tmp_path / "more.csv").write_text("customer,user,name\nacme,u3,Linus\nnobody,u4,Eve\n", encoding="utf-8")
    result = await importer.take(tmp_path / "more.csv")
    assert (result.published, result.bad_rows) == (1, 1)


async def test_an_interrupted_import_is_finished_by_the_next(importer: Importer, tmp_path: Path) -> None:
    write_directory(tmp_path / "made", users=3000, seed=1, form=None, progress=lambda _: None)
    importer.progress = _stop_after(4000)
    with pytest.raises(KeyboardInterrupt):
        await importer.take(tmp_path / "made")
    importer.progress = lambda *_: None
    before = len(await importer.records())
    rest = await importer.take(tmp_path / "made")
    keys = [record.key for record in await importer.records()]
    assert rest.published > 0
    assert len(keys) == before + rest.published
    assert len(set(keys)) == rest.published + rest.unchanged == rest.rows
    again = await importer.take(tmp_path / "made")
    assert again.published == 0


def _stop_after(facts: int) -> Callable[[Stage, int, int | None], None]:
    def progress(stage: Stage, done: int, _: int | None) -> None:
        if stage is Stage.PUBLISHING and done >= facts:
            raise KeyboardInterrupt

    return progress


async def test_a_lost_cache_costs_nothing_but_time(importer: Importer, tmp_path: Path) -> None:
    write_directory(tmp_path / "made", users=500, seed=1, form=None, progress=lambda _: None)
    first = await importer.take(tmp_path / "made")
    for file in importer.cache.iterdir():
        file.unlink()
    again = await importer.take(tmp_path / "made")
    assert (again.published, again.unchanged) == (0, first.published)


async def test_a_complete_import_counts_what_is_missing_and_removes_it_only_when_asked(
    importer: Importer, tmp_path: Path
) -> None:
    await importer.take(write(tmp_path / "files"))
    fewer = write(
        tmp_path / "fewer",
        users="customer,user,name,email\nacme,u1,Ada Lovelace,ada@acme.example\n",
        assignments="customer,user,service,plan\nacme,u1,exchange,gold\n",
    )
    counted = await importer.take(fewer, complete=True)
    assert counted.missing_by_kind == {"assignment": 1, "user": 1}
    assert (counted.removed, counted.published) == (0, 0)
    removed = await importer.take(fewer, remove_missing=True)
    assert removed.removed == 2
    last = {event.data.key(): event.type for event in await importer.events()}
    assert last["user/acme/u2"] == directory.UserRemoved.TYPE
    assert last["assignment/acme/u2/exchange"] == directory.UserPlanUnassigned.TYPE
    assert (await importer.take(fewer, remove_missing=True)).removed == 0


async def test_nothing_is_removed_while_a_row_is_bad(importer: Importer, tmp_path: Path) -> None:
    await importer.take(write(tmp_path / "files"))
    users = "customer,user,name,email\nacme,u1,,\n"
    result = await importer.take(write(tmp_path / "fewer", users=users, assignments=None), remove_missing=True)
    assert (result.bad_rows, result.removed) == (1, 0)
    assert result.missing_by_kind == {}


async def test_what_was_removed_can_come_back(importer: Importer, tmp_path: Path) -> None:
    files = write(tmp_path / "files")
    await importer.take(files)
    gone = directory.UserRemoved(revision=2**59, customer="acme", user="u1")
    body = encode(wrap(gone, event_id="x", source="/crm", time=FIRST_NIGHT))
    await importer.publish([(gone.key().encode(), body)])
    result = await importer.take(files)
    assert result.published_by_kind == {"user": 1, "assignment": 1}
    said = {event.data.key(): event.data for event in await importer.events()}
    assert said["assignment/acme/u1/exchange"].revision > gone.revision


async def test_a_topic_that_was_made_anew_is_filled_anew(importer: Importer, tmp_path: Path) -> None:
    files = write(tmp_path / "files")
    await importer.take(files)
    admin = AIOKafkaAdminClient(bootstrap_servers=importer.kafka.bootstrap)
    await admin.start()
    try:
        topic = importer.kafka.topic(DIRECTORY.name)
        await admin.delete_topics([topic])

        async def is_gone() -> bool:
            return topic not in await admin.list_topics()

        await eventually(is_gone, within=20)
    finally:
        await admin.close()
    await create_topics(importer.kafka.bootstrap, TOPICS, prefix=importer.kafka.topic_prefix)
    await importer.publish([(b"user/x/y", b"not readable, but it is in the way")])
    assert (await importer.take(files)).published == ENTITIES


async def test_unreadable_records_of_others_do_no_harm(importer: Importer, tmp_path: Path) -> None:
    await importer.publish([(b"user/acme/u1", b"{"), (b"\xc3\xa9", b"\xff"), (b"x", b"[]")])
    assert (await importer.take(write(tmp_path / "files"))).published == ENTITIES


async def test_two_imports_at_once_on_one_machine_are_refused(importer: Importer, tmp_path: Path) -> None:
    cluster = await cluster_of(importer.kafka)
    index = Index(importer.cache, cluster, importer.kafka.topic(DIRECTORY.name))
    try:
        with pytest.raises(ImportRunningError):
            await importer.take(write(tmp_path / "files"))
    finally:
        index.close()
    assert (await importer.take(tmp_path / "files")).published == ENTITIES


async def test_progress_is_told_in_every_stage(importer: Importer, tmp_path: Path) -> None:
    told: list[tuple[Stage, int, int | None]] = []
    importer.progress = lambda stage, done, total: told.append((stage, done, total))
    await importer.take(write(tmp_path / "files"))
    assert (Stage.PUBLISHING, ENTITIES, ENTITIES) in told
    assert {Stage.READING, Stage.CHECKING, Stage.PUBLISHING} <= {stage for stage, _, _ in told}


async def test_what_rows_imply_never_overrides_what_is_stated(importer: Importer, tmp_path: Path) -> None:
    files = write(tmp_path / "files", users=None, assignments=None)
    head = "customer,customer_name,reseller,user,name,service,plan\n"
    (files / "flat.csv").write_text(head + "acme,Acme,alpine,u1,Ada,exchange,gold\n", encoding="utf-8")
    stated = '{"kind":"plan","service":"exchange","plan":"bronze","name":"Bronze","features":{"a":"b"}}\n'
    (files / "more.jsonl").write_text(stated, encoding="utf-8")
    (files / "flat.csv").write_text(
        head + "acme,Acme,alpine,u1,Ada,exchange,gold\nacme,Acme,alpine,u2,Grace,exchange,bronze\n", encoding="utf-8"
    )
    result = await importer.take(files)
    assert result.bad_rows == 0
    last = {event.data.key(): event.data for event in sorted(await importer.events(), key=lambda e: e.data.revision)}
    assert last["plan/exchange/gold"].features == {"archive": "yes"}
    assert last["plan/exchange/bronze"].features == {"a": "b"}
    assert last["service/exchange"].name == "Hosted Exchange"
    assert last["package/acme/exchange/gold"].seat_limit == 10
    assert (await importer.take(files)).published == 0


@pytest.mark.parametrize("source", ["", 'a"b', "a b", "ä", "a/b"])
def test_a_source_that_no_event_can_name_is_refused(source: str) -> None:
    with pytest.raises(ValueError, match="can't name a source"):
        ImportOptions(source=source)
