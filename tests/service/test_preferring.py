import asyncio
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from service import preferring
from service.auditing import COMMAND
from service.database import Database
from service.domain.errors import (
    FieldsError,
    LinkReplacedError,
    LinkUnknownError,
    NotFoundError,
)
from service.domain.preferences import Preferences, Topic
from tests import builders
from tests.builders import NOW, Row
from tests.invited import KEYS

NEW_YEAR = datetime(2027, 1, 1, 8, 0, tzinfo=UTC)


def page_of(person: Row) -> str:
    return preferring.page_token(KEYS, person["mail_handle"], person["mail_epoch"])


def end_of(person: Row, topic: Topic) -> str:
    return preferring.unsubscribe_token(KEYS, topic, person["mail_handle"], person["mail_epoch"])


async def wished(database: Database, person: Row) -> Preferences:
    return (await preferring.find_of_person(database, person["id"])).preferences


async def test_without_a_word_everybody_has_what_everybody_starts_with(database: Database) -> None:
    person = await builders.a_person(database, full_name="Mira Muster")

    found = await preferring.find(database, KEYS, page_of(person))

    assert (Preferences(), "Mira Muster", None) == (
        found.preferences,
        found.full_name,
        found.changed_at,
    )


async def test_what_was_chosen_is_stored_and_audited_by_its_names(database: Database) -> None:
    person = await builders.a_person(database)
    until = (NOW + timedelta(days=20)).date()
    chosen = Preferences(nudges=False, digest=True, paused_until=until)

    await preferring.save_by_link(database, KEYS, page_of(person), chosen, NOW)
    await preferring.save_by_link(database, KEYS, page_of(person), chosen, NOW)

    assert chosen == await wished(database, person)
    rows = await database.fetch("SELECT actor_kind, actor_id, action, details FROM audit")
    details = {"nudges": False, "digest": True, "paused_until": until.isoformat()}
    assert [("person", person["id"], "set_preferences", details)] == [tuple(row) for row in rows]


async def test_the_language_is_kept_with_the_person_and_audited_once(database: Database) -> None:
    person = await builders.a_person(database)
    for _ in range(2):
        await preferring.save_by_link(
            database, KEYS, page_of(person), Preferences(), NOW, locale="en"
        )
    await preferring.save_by_link(database, KEYS, page_of(person), Preferences(), NOW)

    found = await preferring.find(database, KEYS, page_of(person))
    assert ("en", Preferences(), None) == (found.locale, found.preferences, found.changed_at)
    rows = await database.fetch("SELECT details FROM audit")
    assert [{"locale": "en"}] == [row["details"] for row in rows]
    stored = await builders.read(database, "person", person["id"])
    assert person["revision"] + 1 == stored["revision"]


@pytest.mark.parametrize("topic", list(Topic))
async def test_one_press_takes_one_topic_off_and_a_second_press_succeeds(
    database: Database, topic: Topic
) -> None:
    person = await builders.a_person(database)
    everything = Preferences(digest=True)
    await preferring.save(database, COMMAND, person["id"], everything, NOW)
    for _ in range(2):
        found = (await preferring.unsubscribe(database, KEYS, end_of(person, topic), NOW)).topic

    assert topic == found
    assert replace(everything, **{topic.value: False}) == await wished(database, person)  # type: ignore[arg-type]


async def test_everything_can_be_taken_off_at_once(database: Database) -> None:
    person = await builders.a_person(database)
    token = end_of(person, Topic.NUDGES)
    await preferring.unsubscribe(database, KEYS, token, NOW, from_all=True)

    assert Preferences(reminders=False, nudges=False, papers=False) == await wished(
        database, person
    )


async def test_two_presses_at_once_are_both_kept(database: Database) -> None:
    person = await builders.a_person(database)
    topics = (Topic.REMINDERS, Topic.NUDGES, Topic.PAPERS)
    await asyncio.gather(
        *(preferring.unsubscribe(database, KEYS, end_of(person, one), NOW) for one in topics)
    )

    assert [] == [one for one in Topic if (await wished(database, person)).wants(one)]


async def test_a_token_opens_only_what_it_was_made_for(database: Database) -> None:
    person = await builders.a_person(database)
    with pytest.raises(LinkUnknownError):
        await preferring.find(database, KEYS, end_of(person, Topic.REMINDERS))
    with pytest.raises(LinkUnknownError):
        await preferring.unsubscribe(database, KEYS, page_of(person), NOW)
    with pytest.raises(LinkUnknownError):
        await preferring.find(database, KEYS, "unbekannt")

    assert Preferences() == await wished(database, person)


async def test_a_renewed_link_says_so_and_a_forgotten_person_is_unknown(database: Database) -> None:
    person = await builders.a_person(database)
    token = end_of(person, Topic.REMINDERS)
    await database.fetch("UPDATE person SET mail_epoch = 2 WHERE id = $1", person["id"])
    with pytest.raises(LinkReplacedError):
        await preferring.unsubscribe(database, KEYS, token, NOW)
    await database.fetch("UPDATE person SET anonymised_at = now() WHERE id = $1", person["id"])
    with pytest.raises(LinkUnknownError):
        await preferring.unsubscribe(database, KEYS, token, NOW)

    assert Preferences() == await wished(database, person)


@pytest.mark.parametrize(("days", "text"), [(-1, "prefs.err_past"), (367, "prefs.err_far")])
async def test_a_pause_lies_ahead_and_ends_within_a_year(
    database: Database, days: int, text: str
) -> None:
    person = await builders.a_person(database)
    until = (NOW + timedelta(days=days)).date()
    with pytest.raises(FieldsError) as caught:
        await preferring.save(database, COMMAND, person["id"], Preferences(paused_until=until), NOW)

    assert {"paused_until": (text, {})} == caught.value.fields
    assert Preferences() == await wished(database, person)


@pytest.mark.parametrize(
    ("zone", "until"), [("Pacific/Pago_Pago", "2026-12-31"), ("Europe/Berlin", None)]
)
async def test_a_pause_may_end_with_the_day_of_the_offices_calendar(
    database: Database, zone: str, until: str | None
) -> None:
    await builders.an_instance(database, time_zone=zone)
    person = await builders.a_person(database)
    pause = Preferences(paused_until=date(2026, 12, 31))
    with nullcontext() if until else pytest.raises(FieldsError):
        await preferring.save(database, COMMAND, person["id"], pause, NEW_YEAR)

    kept = (await wished(database, person)).paused_until
    assert until == (kept and kept.isoformat())


async def test_nobody_has_no_preferences(database: Database) -> None:
    with pytest.raises(NotFoundError):
        await preferring.find_of_person(database, UUID(int=1))
    with pytest.raises(NotFoundError):
        await preferring.save(database, COMMAND, UUID(int=1), Preferences(), NOW)
