"""What would leave in the next days, told by the real code in a transaction that is rolled back."""

import email
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email import policy
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest_asyncio

from notifications import pauses
from notifications.clerk import Go
from notifications.postman import Options, Postman
from service import (
    foretelling,
    foretelling_command,
    furnishing,
    noticing,
    relaying,
    reminding,
    ruling,
    ticking,
)
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database, in_fresh_context
from service.domain.reminders import COMING, Anchor, Audience, Kind, Rule
from service.foretelling import Foretelling, Foretold, Reason, Window
from service.jobs import Ticks
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.pretending import PretendedConnection, Stage
from service.services import Services
from service.settings import Settings
from tests import builders, invited
from tests.builders import NOW, Row, insert
from tests.notifications import smtp_servers

WEEK = Window(NOW, NOW + timedelta(days=4, hours=8))
"""A working week, from Monday morning to Friday afternoon."""
DAY_BEFORE = Rule(kind=Kind.REMINDER, audience=COMING, days_before=1, at_local_time=time(9))
HOUR_BEFORE = Rule(kind=Kind.REMINDER, audience=COMING, minutes_before=60)
NUDGES = tuple(
    Rule(
        kind=Kind.NUDGE,
        audience=(Audience.NO_ANSWER,),
        anchor=Anchor.ANSWER_BY,
        days_before=days,
        at_local_time=time(9),
    )
    for days in (1, 2)
)
THURSDAY = datetime(2027, 1, 7, 10, 0)  # noqa: DTZ001 - wall time
FRIDAY = datetime(2027, 1, 8, 14, 0)  # noqa: DTZ001 - wall time

DUSK = 16

Told = set[tuple[Any, ...]]


@pytest_asyncio.fixture(loop_scope="session")
async def services(settings: Settings, database: Database) -> AsyncIterator[Services]:
    await builders.a_ready_office(database)
    pages = Pages(settings.public_url, Instance("Bündnis", ""), static_urls())
    yield Services(settings, database, pages, lambda: NOW, settings.token_keys)
    furnishing.forget(database)


async def rules(database: Database, *given: Rule) -> list[UUID]:
    async with database.unit_of_work() as unit:
        return [await reminding.add_rule(unit.connection, rule) for rule in given]


async def a_session(database: Database, starts: datetime, **columns: Any) -> Row:
    told = {"invited_at": NOW - timedelta(days=20)} | columns
    meeting = await builders.a_meeting(database, starts_local=starts, **told)
    async with database.unit_of_work() as unit:
        await reminding.plan_slots(unit.connection, meeting["id"], NOW)
    return meeting


async def a_guest(database: Database, meeting: Row, answer: str | None = None, **more: Any) -> Row:
    columns = {"answer": answer, "invited_at": NOW - timedelta(days=20), **more}
    return await builders.an_invitation(database, meeting, **columns)


async def a_busy_week(database: Database) -> None:
    """Reminders, nudges, a change, invitations by the group's rule, copies and weekly letters."""
    await rules(database, DAY_BEFORE, HOUR_BEFORE, *NUDGES)
    first = await a_session(database, THURSDAY)
    second = await a_session(database, FRIDAY)
    asking = await a_session(database, datetime(2027, 1, 18, 10, 0))  # noqa: DTZ001 - wall time
    many = await builders.a_person(database, full_name="Mira Viel", copy_email="sek@example.org")
    for meeting in (first, second):
        await builders.an_invitation(
            database, meeting, many, answer="in_person", invited_at=NOW - timedelta(days=20)
        )
        for answer in ("online", "declined", "undecided", None):
            await a_guest(database, meeting, answer)
    for _ in range(3):
        await a_guest(database, asking)
    later = await builders.a_meeting(database)
    for _ in range(2):
        await builders.an_invitation(database, later, state="planned")
    await builders.a_notice(
        database,
        later,
        kind="invitation",
        due_at=NOW + timedelta(days=2, hours=1),
        created_at=NOW - timedelta(days=30),
    )
    await builders.a_notice(database, second, due_at=NOW + timedelta(hours=1), before={})
    weekly = await builders.a_person(database)
    await insert(database, "preference", person_id=weekly["id"], digest=True)
    await builders.an_invitation(database, asking, weekly, invited_at=NOW - timedelta(days=20))
    gone = await builders.a_person(database, ended_on=(NOW + timedelta(days=1)).date())
    await builders.an_invitation(database, first, gone, answer="in_person")


def told(found: Foretelling) -> Told:
    return {each.identity for each in found.letters}


@asynccontextmanager
async def keeping_stage(database: Database, at: datetime) -> AsyncIterator[Stage]:
    """Give one tick its present instant, in a transaction that is committed."""
    async with database.unit_of_work() as unit:
        real = unit.connection
        unit.connection = PretendedConnection(real)
        try:
            stage = Stage(database, unit.connection, at)
            await stage.set_clock(at)
            yield stage
        finally:
            unit.connection = real


_QUEUED = """
SELECT l.id, l.kind, l.recipient_id, l.subject_id FROM outbox o JOIN letter l USING (id)
WHERE o.state = 'queued' AND o.next_attempt_at <= now() AND o.expires_at > now()
"""
_END = "UPDATE outbox SET state = $2, accepted_at = now(), finished_at = now() WHERE id = $1"


async def let_time_pass(services: Services, until: datetime) -> Told:
    """Let the ticks of the worker run every hour, and take away what may leave."""
    sent: Told = set()
    at = services.clock()
    while at <= until:
        async with keeping_stage(services.database, at) as stage:
            then = replace(services, database=stage, clock=stage.now)
            await _tick(then, at)
            rows = {row["id"]: row for row in await stage.fetch(_QUEUED)}
            verdicts = await Clerk(then).look_up(list(rows))
            for each, verdict in verdicts.items():
                state = "sent" if isinstance(verdict, Go) else verdict.state
                await stage.fetch(_END, each, state)
                row = rows[each]
                if isinstance(verdict, Go):
                    sent.add((at, row["kind"], row["recipient_id"], row["subject_id"]))
        # Nothing of this week is due at night.
        at += timedelta(hours=1 if at.hour < DUSK else 14)
    return sent


async def _tick(services: Services, at: datetime) -> None:
    names = {"slots", "notices", "reminders", "digests", "meetings_held", "first_letters"}
    for tick in ticking.ticks(services, None):
        if tick.name in names:
            await tick.work(at)


async def test_what_is_told_of_a_week_is_what_leaves_when_the_week_goes_by(
    services: Services,
) -> None:
    await a_busy_week(services.database)
    foretold = await foretelling.foretell(services, WEEK)
    sent = await let_time_pass(services, WEEK.to_at)

    kinds = {each.kind for each in foretold.letters}
    assert {"reminder", "nudge", "change", "invitation", "copy", "digest"} == kinds
    assert sent == told(foretold)
    assert len(foretold.letters) == len(told(foretold))


async def test_what_is_told_of_now_is_what_a_mail_server_gets(services: Services) -> None:
    database, now = services.database, datetime.now(UTC).replace(microsecond=0)
    services = replace(services, clock=lambda: now)
    starts = (now + timedelta(days=30)).replace(hour=9, minute=0, second=0, tzinfo=None)
    meeting = await builders.a_meeting(database, starts_local=starts)
    for _ in range(3):
        await builders.an_invitation(database, meeting, state="planned")
    await builders.a_notice(database, meeting, kind="invitation", due_at=now)
    foretold = await foretelling.foretell(services, Window(now, now + timedelta(minutes=1)))
    relay = relaying.relay_settings(services.settings)
    assert relay is not None
    await pauses.note_tried(database, relay.name)
    await Ticks(database, ticking.ticks(services, None), services.clock).run_all_once()
    async with smtp_servers.running() as server:
        postman = Postman(
            database,
            server.relay(),
            Clerk(services),
            relaying.sender(services.settings),
            Options(clock=services.clock),
        )
        await postman.deliver()
        await postman.stop()
        arrived = sorted(mail.recipient for mail in server.mails)

    expected = sorted(each.go.to_addr for each in foretold.letters if each.go)
    assert 3 == len(expected)
    assert expected == arrived


async def test_a_look_ahead_leaves_nothing_behind(services: Services) -> None:
    await a_busy_week(services.database)
    before = await invited.snapshot(services.database)
    found = await foretelling.foretell(services, WEEK)

    assert found.letters
    assert before == await invited.snapshot(services.database)


async def test_nothing_pretended_is_left_on_the_connections(services: Services) -> None:
    usual = await services.database.fetchval("SHOW lock_timeout")
    await foretelling.foretell(services, WEEK)

    rows = await services.database.fetch(
        "SELECT now() AS now, current_setting('terminbuch.pretended', true) AS pretended,"
        " current_setting('lock_timeout') AS lock_timeout"
    )
    assert [("", usual)] == [(row["pretended"] or "", row["lock_timeout"]) for row in rows]
    assert abs(rows[0]["now"] - datetime.now(UTC)) < timedelta(hours=1)


async def test_a_rule_that_is_switched_off_takes_its_letters_away(services: Services) -> None:
    database = services.database
    day, hour = await rules(database, DAY_BEFORE, HOUR_BEFORE)
    meeting = await a_session(database, THURSDAY)
    await a_guest(database, meeting, "in_person")
    before = await foretelling.foretell(services, WEEK)

    async def switch_off(stage: Stage) -> None:
        await ruling.switch_rule(stage, COMMAND, ruling.EVERYBODY, day, NOW, is_enabled=False)

    after = await foretelling.foretell(services, WEEK, change=switch_off)
    difference = foretelling.compare(before, after)

    known = await ruling.list_rules(database)
    assert {day: True, hour: True} == {each.id: each.is_enabled for each in known}
    assert [HOUR_BEFORE] == [each.reason.rule for each in after.letters]
    assert (0, [DAY_BEFORE]) == (
        len(difference.more),
        [each.reason.rule for each in difference.less],
    )


async def test_an_invitation_by_the_groups_rule_is_told_with_its_words(services: Services) -> None:
    database, due = services.database, NOW + timedelta(days=3)
    meeting = await builders.a_meeting(database)
    person = await builders.a_person(database, full_name="Ada Beispiel")
    await builders.an_invitation(database, meeting, person, state="planned")
    await builders.a_notice(
        database, meeting, kind="invitation", due_at=due, created_at=NOW - timedelta(days=9)
    )
    found = await foretelling.foretell(services, WEEK)

    (letter,) = found.letters
    assert (due, "invitation", "group_rule", True) == (
        letter.at,
        letter.kind,
        letter.reason.code,
        letter.has_calendar,
    )
    assert "Ada Beispiel" in letter.text
    assert "⟦" not in letter.text


async def test_a_link_in_a_told_letter_opens_nothing(services: Services) -> None:
    database = services.database
    await rules(database, HOUR_BEFORE)
    meeting = await a_session(database, THURSDAY)
    await a_guest(database, meeting, "in_person")
    (letter,) = (await foretelling.foretell(services, WEEK)).letters

    assert "/a/xxxxxxxx" in letter.text
    assert None is re.search("[a-z2-7]{52}", letter.text)


async def test_who_has_answered_no_is_told_of_nothing(services: Services) -> None:
    database = services.database
    await rules(database, DAY_BEFORE, HOUR_BEFORE, *NUDGES)
    meeting = await a_session(database, THURSDAY)
    await a_guest(database, meeting, "declined")

    assert () == (await foretelling.foretell(services, WEEK)).letters


async def test_a_letter_that_would_be_stopped_says_why(services: Services) -> None:
    database = services.database
    await rules(database, HOUR_BEFORE)
    meeting = await a_session(database, THURSDAY)
    person = await builders.a_person(database)
    await insert(database, "preference", person_id=person["id"], reminders=False)
    await builders.an_invitation(
        database, meeting, person, answer="in_person", invited_at=NOW - timedelta(days=20)
    )
    found = await foretelling.foretell(services, WEEK)

    assert ((), ["unsubscribed"]) == (found.letters, [each.stopped for each in found.stopped])


async def test_what_waits_in_the_outbox_is_told_too(services: Services) -> None:
    database = services.database
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting, state="planned")
    await builders.a_notice(database, meeting, kind="invitation", due_at=NOW)
    await noticing.queue_due(database, NOW)
    found = await foretelling.foretell(services, WEEK)

    assert [("invitation", "queued")] == [(each.kind, each.reason.code) for each in found.letters]


async def test_what_leaves_before_the_window_is_played_and_not_told(services: Services) -> None:
    database = services.database
    await rules(database, HOUR_BEFORE)
    first = await a_session(database, THURSDAY)
    second = await a_session(database, FRIDAY)
    for meeting in (first, second):
        await a_guest(database, meeting, "in_person")
    window = Window(NOW + timedelta(days=4), WEEK.to_at)
    found = await foretelling.foretell(services, window)

    assert [second["id"]] == [each.meeting_id for each in found.letters]


async def test_more_letters_than_can_be_told_are_cut_with_a_word(services: Services) -> None:
    database = services.database
    meeting = await invited.a_meeting(database)
    await invited.invite_many(database, meeting, foretelling.MOST + 1)
    await database.fetch("UPDATE invitation SET state = 'planned'")
    row = await builders.read(database, "meeting", meeting)
    await builders.a_notice(database, row, kind="invitation", due_at=NOW)
    found = await foretelling.foretell(services, WEEK)

    assert (foretelling.MOST, True) == (len(found.letters), found.is_cut)


async def test_who_really_works_is_not_kept_waiting(services: Services) -> None:
    """A notice that another transaction holds is left out; the look ahead does not wait for it."""
    database = services.database
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting, state="planned")
    await builders.a_notice(database, meeting, kind="invitation", due_at=NOW)

    async def tell() -> Foretelling:
        return await foretelling.foretell(services, WEEK)

    async with database.unit_of_work() as unit:
        await unit.connection.fetch("SELECT FROM meeting WHERE id = $1 FOR UPDATE", meeting["id"])
        found = await in_fresh_context(tell)

    assert () == found.letters


async def test_the_command_prints_a_line_a_batch_and_writes_the_letters(
    services: Services, database_url: str, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    starts = (now + timedelta(days=30)).replace(hour=9, minute=0, second=0, tzinfo=None)
    meeting = await builders.a_meeting(services.database, starts_local=starts, title="Klimasitzung")
    person = await builders.a_person(services.database, full_name="Ada Beispiel")
    await builders.an_invitation(services.database, meeting, person, state="planned")
    await builders.a_notice(services.database, meeting, kind="invitation", due_at=now)
    settings = replace(services.settings, database_url=database_url)
    said: list[str] = []
    code = await in_fresh_context(
        lambda: foretelling_command.run(settings, None, None, tmp_path / "post", said.append)
    )
    (written,) = (tmp_path / "post").iterdir()

    message = email.message_from_bytes(written.read_bytes(), policy=policy.default)
    assert 0 == code
    assert ["1", "Invitation", "Klimasitzung"] == re.split(r"\s{2,}", said[1])[2:5]
    assert "1 letters would leave." in said
    assert "Ada Beispiel" in str(message["To"])
    assert "termin.ics" in [part.get_filename() for part in message.walk()]


async def test_the_command_refuses_a_time_that_is_over(
    services: Services, database_url: str
) -> None:
    settings = replace(services.settings, database_url=database_url)
    said: list[str] = []
    code = await in_fresh_context(
        lambda: foretelling_command.run(settings, date(2020, 1, 1), None, None, said.append)
    )

    assert (2, 1) == (code, len(said))


async def test_a_rule_that_is_saved_for_once_adds_its_letters(services: Services) -> None:
    database = services.database
    await rules(database, HOUR_BEFORE)
    meeting = await a_session(database, THURSDAY)
    await a_guest(database, meeting, "in_person")
    before = await foretelling.foretell(services, WEEK)

    async def save(stage: Stage) -> None:
        await ruling.save_rule(stage, COMMAND, ruling.EVERYBODY, DAY_BEFORE, stage.now())

    after = await foretelling.foretell(services, WEEK, change=save)

    (more,) = foretelling.compare(before, after).more
    assert DAY_BEFORE == more.reason.rule
    assert (1, 2) == (len(before.letters), len(after.letters))


async def test_a_rule_at_another_time_moves_its_letters(services: Services) -> None:
    database = services.database
    (rule_id,) = await rules(database, DAY_BEFORE)
    meeting = await a_session(database, THURSDAY)
    await a_guest(database, meeting, "in_person")
    await a_guest(database, meeting, "undecided")
    earlier = replace(DAY_BEFORE, days_before=2)

    async def save(stage: Stage) -> None:
        await ruling.save_rule(
            stage, COMMAND, ruling.EVERYBODY, earlier, stage.now(), rule_id=rule_id
        )

    found = await foretelling.foretell_difference(services, WEEK, save)

    assert ((), (), None) == (found.more, found.less, found.until)
    assert [timedelta(days=-1)] * 2 == [then.at - was.at for was, then in found.moved]


async def test_beyond_what_is_told_nothing_is_compared(services: Services) -> None:
    """A cut list lacks letters that are there: they must not look as if the change took them."""
    some = Foretelling(letters=tuple(_letter(days) for days in range(4)), stopped=())
    cut = Foretelling(letters=some.letters[:3], stopped=(), is_cut=True)
    found = foretelling.compare(some, cut)

    assert ((), (), some.letters[2].at) == (found.less, found.more, found.until)


def _letter(days: int) -> Foretold:
    return Foretold(
        id=uuid4(),
        at=NOW + timedelta(days=days),
        kind="reminder",
        locale="de",
        person_id=UUID(int=1),
        name="",
        partner="",
        meeting_id=UUID(int=days),
        meeting_title="",
        reason=Reason("rule"),
    )


async def test_a_rule_of_one_session_can_be_switched_for_once(services: Services) -> None:
    database = services.database
    meeting, other = [await a_session(database, THURSDAY) for _ in range(2)]
    for one in (meeting, other):
        await a_guest(database, one, "in_person")
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, DAY_BEFORE, meeting_id=meeting["id"])
    await reminding.plan_all(database, NOW)
    (known,) = await foretelling.list_switchable(database, NOW)
    over = await foretelling.list_switchable(database, NOW + timedelta(days=30))
    found = await foretelling.foretell_difference(services, WEEK, known.switched(COMMAND))

    assert ([], meeting["title"]) == (over, known.scope_name)
    assert [meeting["id"]] == [each.meeting_id for each in found.less]


async def test_the_command_lists_rules_and_says_what_one_would_change(
    services: Services, database_url: str
) -> None:
    now = datetime.now(UTC)
    starts = (now + timedelta(days=3)).replace(hour=9, minute=0, second=0, tzinfo=None)
    told = now - timedelta(days=20)
    (rule_id,) = await rules(services.database, HOUR_BEFORE)
    meeting = await builders.a_meeting(
        services.database, starts_local=starts, invited_at=told, title="Klimasitzung"
    )
    await builders.an_invitation(services.database, meeting, answer="in_person", invited_at=told)
    await reminding.plan_all(services.database, now)
    settings = replace(services.settings, database_url=database_url)
    listed: list[str] = []
    said: list[str] = []
    odd: list[str] = []
    await in_fresh_context(lambda: foretelling_command.list_rules(settings, listed.append))
    codes = [
        await in_fresh_context(
            lambda say=say, one=one: foretelling_command.run(settings, None, None, None, say, one)
        )
        for say, one in ((said.append, rule_id), (odd.append, UUID(int=1)))
    ]

    assert [0, 2] == codes
    assert listed[0].startswith(f"{rule_id}  60 minutes before")
    assert said[1].startswith("- ")
    assert "Klimasitzung" in said[1]
    assert "0 letters more, 1 less, 0 moved." == said[2]
    assert 1 == len(odd)
