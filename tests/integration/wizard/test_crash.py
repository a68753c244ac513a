"""A wizard that dies at the worst moment has neither lost nor doubled what it accepted."""

import asyncio

import httpx
import pytest

from tests.integration.wizard.process import Wizard
from tests.integration.wizard.records import customer, publish, world
from tests.integration.wizard.test_migrations import body
from tests.waiting import eventually


async def test_death_between_commit_and_publish_loses_and_doubles_nothing(wizard: Wizard) -> None:
    await wizard.start(PLANSHIFT_FAILPOINT="after-commit-before-publish")
    await wizard.knows(await publish(wizard.kafka, wizard.prefix, world()))
    asked = await wizard.call("POST", "/v1/migrations", body(reference="once"), key="once")
    assert asked.status_code == 202
    await eventually(wizard.has_died, within=20)
    await wizard.start()
    await wizard.said(asked.json()["request"])
    again = await wizard.call("POST", "/v1/migrations", body(reference="once"), key="once")
    assert again.json() == asked.json()
    assert [event["data"]["request"] for event in await wizard.everything_said()] == [asked.json()["request"]]


async def test_death_between_publish_and_cursor_doubles_nothing_for_who_counts(wizard: Wizard) -> None:
    await wizard.start(PLANSHIFT_FAILPOINT="after-publish-before-cursor")
    await wizard.knows(await publish(wizard.kafka, wizard.prefix, world()))
    asked = await wizard.call("POST", "/v1/migrations", body())
    await eventually(wizard.has_died, within=20)
    await wizard.start()
    later = await wizard.call("POST", "/v1/migrations", body())
    await wizard.said(later.json()["request"])
    said = await wizard.said(asked.json()["request"])
    assert len({(event["id"], event["sequence"]) for event in said}) == 1


async def test_death_before_the_commit_accepts_nothing(wizard: Wizard) -> None:
    await wizard.start(PLANSHIFT_FAILPOINT="before-commit")
    await wizard.knows(await publish(wizard.kafka, wizard.prefix, world()))
    with pytest.raises(httpx.HTTPError):
        await wizard.call("POST", "/v1/migrations", body(reference="r"), key="k")
    await eventually(wizard.has_died, within=20)
    await wizard.start()
    assert (await wizard.call("GET", "/v1/migrations?reference=r")).json()["items"] == []
    again = await wizard.call("POST", "/v1/migrations", body(reference="r"), key="k")
    assert len(await wizard.said(again.json()["request"])) == 1


async def test_death_in_the_middle_of_a_fold_leaves_the_counts_right(wizard: Wizard) -> None:
    await wizard.start(PLANSHIFT_FAILPOINT="in-fold:2")
    many = list(customer("many", {f"u{number:04d}": "silver" for number in range(500)}))
    ends, _ = await asyncio.gather(
        publish(wizard.kafka, wizard.prefix, [*world(), *many]), eventually(wizard.has_died, within=30)
    )
    await wizard.start()
    await wizard.knows(ends)
    plans = (await wizard.call("GET", "/v1/services/mail/plans")).json()["items"]
    assert {row["plan"]: row["users"] for row in plans} == {"bronze": 1, "silver": 509, "gold": 1}


async def test_two_wizards_share_the_work(wizard: Wizard) -> None:
    await wizard.start()
    other = wizard.another()
    try:
        await other.start()
        await wizard.knows(await publish(wizard.kafka, wizard.prefix, world()))
        asked = [await one.call("POST", "/v1/migrations", body()) for one in (wizard, other) for _ in range(4)]
        for answer in asked:
            assert len(await wizard.said(answer.json()["request"])) == 1
        events = await wizard.everything_said()
        assert len({event["id"] for event in events}) == len(events) == 8
    finally:
        await other.end()
