"""The privacy page's table: what is there before its time is over, and gone a little later.

Each row of `retention.PURPOSES` that has a period stands here, made as old as it needs to be.
"""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import pytest

from calendars import feed
from service import finding, housekeeping, keeping_sessions, limiting, tokens
from service.database import Database
from service.domain import retention
from service.domain.errors import LinkExpiredError
from service.domain.retention import Purpose
from service.limiting import Limit
from service.pages.catalogue import texts
from service.tokens import Purpose as LinkPurpose
from tests import builders, invited
from tests.builders import insert
from tests.notifications.builders import a_letter, post

NOW = datetime.now(UTC).replace(microsecond=0)
Make = Callable[[Database, datetime], Awaitable[None]]
ENFORCED = [each for each in retention.PURPOSES if isinstance(each, Purpose)]


async def _a_session(database: Database, ended_at: datetime, **said: Any) -> dict[str, Any]:
    starts = (ended_at - timedelta(hours=2)).replace(tzinfo=None)
    meeting = await builders.a_meeting(database, starts_local=starts, time_zone="UTC", state="held")
    return await builders.an_invitation(database, meeting, **said)


def _answered(**said: Any) -> Make:
    async def make(database: Database, at: datetime) -> None:
        await _a_session(database, at, **({"answer": "represented"} | said))

    return make


async def _history(database: Database, at: datetime) -> None:
    invitation = await _a_session(database, at, answer="online", note="Komme später")
    given = {"answer_rev": 1, "answer": "online", "way": "link", "answered_at": at}
    await insert(database, "answer", invitation_id=invitation["id"], **given)


async def _calendar_answer(database: Database, at: datetime) -> None:
    await insert(
        database,
        "calendar_answer",
        message_sha256=b"m",
        part_sha256=b"p",
        received_at=at,
        outcome="no_session",
        trust=1,
    )


def _returned(kind: str) -> Make:
    async def make(database: Database, at: datetime) -> None:
        digest = sha256(kind.encode()).digest()
        await insert(database, "mail_event", raw_sha256=digest, kind=kind, received_at=at)

    return make


def _letter(kind: str = "invitation") -> Make:
    async def make(database: Database, at: datetime) -> None:
        [letter] = await post(
            database, a_letter(kind=kind, recipient_id=None, cause={"email": "erika@example.org"})
        )
        await database.fetch("UPDATE letter SET created_at = $2 WHERE id = $1", letter, at)
        for sql in (
            'UPDATE letter SET slot_values = \'{"name": "Erika"}\' WHERE id = $1',
            "UPDATE outbox SET state = 'sent' WHERE id = $1",
        ):
            await database.fetch(sql, letter)
        await database.fetch("UPDATE outbox SET finished_at = $2 WHERE id = $1", letter, at)

    return make


async def _act(database: Database, at: datetime) -> None:
    await insert(
        database, "audit", happened_at=at, actor_kind="clock", action="x", object_kind="meeting"
    )


async def _fetch(database: Database, at: datetime) -> None:
    person = await builders.a_person(database)
    await insert(database, "feed", kind="personal", person_id=person["id"], last_fetch_on=at.date())


async def _link(database: Database, at: datetime) -> None:
    await _a_session(database, at)


async def _sign_in(database: Database, at: datetime) -> None:
    account = await builders.an_account(database)
    async with database.unit_of_work() as unit:
        await keeping_sessions.open_new(unit.connection, account["id"], None, at)


async def _try(database: Database, at: datetime) -> None:
    await limiting.take(database, Limit("x", 5, timedelta(hours=1)), "k", at)


_PLACES: dict[str, tuple[Make, str]] = {
    "answers": (_answered(), "SELECT count(*) FROM invitation WHERE answer IS NOT NULL"),
    "notes": (
        _answered(note="Komme später"),
        "SELECT count(*) FROM invitation WHERE note <> ''",
    ),
    "history": (_history, "SELECT count(*) FROM answer"),
    "deputies": (
        _answered(deputy_name="Dana Dabei"),
        "SELECT count(*) FROM invitation WHERE deputy_name <> ''",
    ),
    "needs": (
        _answered(access_needs="Schriftdolmetschung", meal="vegan"),
        "SELECT count(*) FROM invitation WHERE access_needs <> '' OR meal <> ''",
    ),
    "calendar_answers": (_calendar_answer, "SELECT count(*) FROM calendar_answer"),
    "words": (_returned("words"), "SELECT count(*) FROM mail_event"),
    "auto_replies": (_returned("auto_reply"), "SELECT count(*) FROM mail_event"),
    "letters": (_letter(), "SELECT count(*) FROM letter WHERE slot_values IS NOT NULL"),
    "letter_proof": (_letter(), "SELECT count(*) FROM letter"),
    "audit": (_act, "SELECT count(*) FROM audit"),
    "feeds": (_fetch, "SELECT count(*) FROM feed WHERE last_fetch_on IS NOT NULL"),
    "answer_link": (_link, ""),
    "sign_in": (_sign_in, "SELECT count(*) FROM staff_session"),
    "tries": (_try, "SELECT count(*) FROM rate_bucket"),
    "hints": (_letter("hint_received"), "SELECT count(*) FROM letter WHERE cause <> '{}'"),
}


async def _is_there(database: Database, name: str, now: datetime) -> bool:
    if name == "answer_link":
        return await _opens(database, now)
    await housekeeping.keep_house(database, now)
    return bool(await database.fetchval(_PLACES[name][1]))


async def _opens(database: Database, now: datetime) -> bool:
    handle: UUID = await database.fetchval("SELECT handle FROM invitation")
    token = tokens.derive(invited.KEYS, LinkPurpose.ANSWER, handle, 1)
    try:
        await finding.find_invitation(database, invited.KEYS, token, now)
    except LinkExpiredError:
        return False
    return True


@pytest.mark.parametrize("purpose", ENFORCED, ids=lambda each: each.name)
async def test_what_the_page_tells_is_what_happens(database: Database, purpose: Purpose) -> None:
    make, _ = _PLACES[purpose.name]
    margin = purpose.period / 20
    await make(database, NOW - purpose.period + margin)
    before = await _is_there(database, purpose.name, NOW)
    # A day is counted as a whole.
    after = await _is_there(database, purpose.name, NOW + margin + min(margin, timedelta(days=2)))

    assert (True, False) == (before, after)


def test_no_row_of_the_page_is_without_its_deed() -> None:
    assert _PLACES.keys() == {each.name for each in ENFORCED}


def test_other_places_that_name_a_period_name_that_of_the_page() -> None:
    for locale, months in (("de", "8 Monate"), ("en", "8 months")):
        t = texts(locale).t
        letter = t("letter.art14.text", office="x", source="y")

        assert round(retention.ANSWERS.period.days * 12 / 365) == int(months.split()[0])
        assert months in letter
        assert str(retention.HISTORY.period.days) in letter
        assert f" {retention.NEEDS.period.days} " in t("rsvp.needs_hint")
        assert f" {retention.HINTS.period.days} " in t("barrier.note")


def test_answers_stay_as_long_as_the_own_calendar_shows_the_session() -> None:
    days = [datetime(2027, 1, 1, tzinfo=UTC).date() + timedelta(days=n) for n in range(730)]
    forgotten = [day - retention.ANSWERS.period for day in days]

    assert all(feed.window_start(day) > gone for day, gone in zip(days, forgotten, strict=True))


def test_ids_differ() -> None:
    assert len({each.name for each in retention.PURPOSES}) == len(retention.PURPOSES)
