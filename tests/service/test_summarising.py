"""The office's summary of a session: when it is due, who gets it, what it says, what stops it."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from service import foretelling, planning, reminding, ruling, scheduling, summarising
from service.auditing import COMMAND
from service.database import Database
from service.domain import instants
from service.domain.reminders import COMING, Anchor, Audience, Kind, Rule
from service.foretelling import Window
from service.ruling import Scope
from service.services import Services
from service.summarising import Count, Stage
from tests import builders
from tests.builders import NOW, START, Row
from tests.service import test_composing as through
from tests.service import test_reminding as planned
from tests.service.test_composing import deliver, opened, part
from tests.service.test_reminding import plan

# The fixtures that a real postman needs.
ready, services = through.ready, through.services

AT_DEADLINE = Rule(
    kind=Kind.SUMMARY, audience=(Audience.OFFICE,), anchor=Anchor.ANSWER_BY, minutes_before=0
)
ON_THE_EVE = Rule(
    kind=Kind.SUMMARY, audience=(Audience.OFFICE,), days_before=1, at_local_time=time(9)
)
DEADLINE = datetime(2027, 2, 25, 9, 0, tzinfo=UTC)
EVE = datetime(2027, 3, 3, 8, 0, tzinfo=UTC)
A_SECOND = timedelta(seconds=1)


async def a_session(database: Database, **columns: Any) -> Row:
    """Insert a session that one person was invited to long ago, under the office's two rules."""
    meeting = await planned.a_session(database, AT_DEADLINE, ON_THE_EVE, **columns)
    await builders.an_invitation(database, meeting)
    return meeting


async def slots(database: Database, meeting: Row) -> list[tuple[Any, ...]]:
    """Return due time, state and reason of each, the elder dates first."""
    return [row[1:] for row in await planned.slots(database, meeting)]


async def set_deadline(database: Database, meeting: Row, deadline: datetime) -> None:
    """Write a deadline, a wall time, as the form does."""
    await database.fetch(
        "UPDATE meeting SET answer_by_local = $2, answer_by = $3 WHERE id = $1",
        *(meeting["id"], deadline, instants.to_utc(deadline, "Europe/Berlin")),
    )


# When it is due.


async def test_it_is_due_at_the_deadline_and_on_the_working_day_before(database: Database) -> None:
    meeting = await a_session(database)

    assert [(DEADLINE, "planned", None), (EVE, "planned", None)] == await slots(database, meeting)


async def test_without_a_deadline_the_eve_is_left(database: Database) -> None:
    meeting = await a_session(database, answer_by_local=None)

    assert [(EVE, "planned", None)] == await slots(database, meeting)


async def test_a_deadline_at_midnight_lets_the_office_sleep(database: Database) -> None:
    deadline = datetime.combine(START - timedelta(days=7), time(23, 59))
    meeting = await a_session(database, answer_by_local=deadline)

    morning = datetime(2027, 2, 26, 6, 0, tzinfo=UTC)
    assert [morning, EVE] == [row[0] for row in await slots(database, meeting)]


async def test_of_two_that_follow_each_other_closely_the_later_one_leaves(
    database: Database,
) -> None:
    deadline = START - timedelta(hours=20)
    meeting = await a_session(database, answer_by_local=deadline)
    await builders.an_account(database)
    count = await reminding.queue_due(database, instants.to_utc(START, "Europe/Berlin") - A_SECOND)

    assert 1 == count
    assert [
        (EVE, "skipped", "summary_follows"),
        (instants.to_utc(deadline, "Europe/Berlin"), "expanded", None),
    ] == await slots(database, meeting)


async def test_what_lies_back_when_it_is_first_planned_is_not_sent_late(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting)
    await builders.an_account(database)
    late = DEADLINE + timedelta(days=1)
    async with database.unit_of_work() as unit:
        for rule in (AT_DEADLINE, ON_THE_EVE):
            await reminding.add_rule(unit.connection, rule, meeting_id=meeting["id"])
    await plan(database, meeting, late)

    assert 0 == await reminding.queue_due(database, late)
    assert [(DEADLINE, "skipped", "planned_late"), (EVE, "planned", None)] == await slots(
        database, meeting
    )


async def test_after_a_standstill_the_newest_one_leaves(database: Database) -> None:
    meeting = await a_session(database)
    await builders.an_account(database)
    count = await reminding.queue_due(database, EVE + timedelta(hours=2))

    assert 1 == count
    assert [(DEADLINE, "missed", "newer_is_due"), (EVE, "expanded", None)] == await slots(
        database, meeting
    )


async def test_nothing_leaves_once_the_session_has_begun(database: Database) -> None:
    meeting = await a_session(database)
    await builders.an_account(database)
    count = await reminding.queue_due(database, instants.to_utc(START, "Europe/Berlin"))

    assert 0 == count
    assert {"missed"} == {row[1] for row in await slots(database, meeting)}


async def test_a_deadline_that_is_put_off_is_summed_up_again(database: Database) -> None:
    meeting = await a_session(database)
    await builders.an_account(database)
    await reminding.queue_due(database, DEADLINE)
    later = START - timedelta(days=3)
    await set_deadline(database, meeting, later)
    await plan(database, meeting, DEADLINE + timedelta(hours=1))
    before = await reminding.queue_due(database, instants.to_utc(later, "Europe/Berlin") - A_SECOND)
    at = await reminding.queue_due(database, instants.to_utc(later, "Europe/Berlin"))

    assert (0, 1) == (before, at)
    assert 2 == len(await builders.letters(database, kind="summary"))


async def test_planning_again_and_again_sends_nothing_twice(database: Database) -> None:
    meeting = await a_session(database)
    await builders.an_account(database)
    counts = []
    for _ in range(3):
        await plan(database, meeting, DEADLINE)
        counts.append(await reminding.queue_due(database, DEADLINE))

    assert [1, 0, 0] == counts


async def test_a_move_plans_it_anew(database: Database) -> None:
    meeting = await a_session(database)
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, start_on=(START + timedelta(days=7)).date())
    await scheduling.change(database, COMMAND, meeting["id"], form, NOW)

    rows = await slots(database, meeting)
    assert 2 == sum(row[1] == "planned" for row in rows)
    assert {"superseded"} == {row[2] for row in rows if row[1] == "cancelled"}


# Who gets it.


async def test_the_office_and_the_leads_of_its_groups_get_it(database: Database) -> None:
    group = await builders.a_group(database)
    await a_session(database, of=group)
    wanted = [
        await builders.an_account(database),
        await builders.an_account(database, role="admin"),
        await builders.an_account(database, role="lead"),
    ]
    own = {"account_id": wanted[-1]["id"], "group_id": group["id"]}
    await builders.insert(database, "account_group", **own)
    other = await builders.an_account(database, role="lead")
    elsewhere = await builders.a_group(database)
    theirs = {"account_id": other["id"], "group_id": elsewhere["id"]}
    await builders.insert(database, "account_group", **theirs)
    await builders.an_account(database, role="reader")
    await builders.an_account(database, disabled_at=NOW)
    await builders.an_account(database, summaries=False)

    count = await reminding.queue_due(database, DEADLINE)
    letters = await builders.letters(database)

    assert 3 == count
    assert {one["id"] for one in wanted} == {one["recipient_id"] for one in letters}


async def test_where_nobody_is_invited_nothing_is_summed_up(database: Database) -> None:
    meeting = await a_session(database)
    await database.fetch("DELETE FROM invitation")
    await builders.an_account(database)
    (shown, *_) = await reminding.planned_letters(database, meeting["id"])

    assert 0 == shown.letters
    assert 0 == await reminding.queue_due(database, DEADLINE)


async def test_the_page_counts_as_many_as_leave(database: Database) -> None:
    meeting = await a_session(database)
    for _ in range(2):
        await builders.an_account(database)
    before = [one.letters for one in await reminding.planned_letters(database, meeting["id"])]
    await reminding.queue_due(database, DEADLINE)
    after = [one.letters for one in await reminding.planned_letters(database, meeting["id"])]

    assert ([2, 2], [2, 2]) == (before, after)


async def test_a_group_can_switch_it_off_for_itself(database: Database) -> None:
    async with database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
    group = await builders.a_group(database)
    meeting = await builders.a_meeting(database, of=group, invited_at=NOW - timedelta(days=20))
    await builders.an_invitation(database, meeting)
    await builders.an_account(database)
    await plan(database, meeting)
    scope = Scope(group_id=group["id"])
    for known in await ruling.list_rules(database, scope):
        if known.rule.kind is Kind.SUMMARY:
            await ruling.switch_rule(database, COMMAND, scope, known.id, NOW, is_enabled=False)
    await reminding.queue_due(database, DEADLINE)

    assert [] == await builders.letters(database, kind="summary")


# What it says.


async def a_mixed_session(database: Database, **columns: Any) -> Row:
    """Insert a session of today's tests, with an answer of each kind and letters that failed."""
    meeting = await through.a_session(database, **columns)
    gotha = await builders.an_organisation(database, name="Stadt Gotha")
    weimar = await builders.an_organisation(database, name="Stadt Weimar")
    people = (
        ("Ada Vorort", "in_person", gotha),
        ("Ben Vorort", "in_person", gotha),
        ("Cem Online", "online", weimar),
        ("Dora Stumm", None, weimar),
        ("Edi Stumm", None, weimar),
        ("Fritz Vielleicht", "undecided", gotha),
        ("Gabi Absage", "declined", gotha),
    )
    for name, answer, partner in people:
        person = await builders.a_person(database, full_name=name, of=partner)
        await builders.an_invitation(
            *(database, meeting, person), answer=answer, organisation_id=partner["id"]
        )
    return meeting


async def test_it_counts_people_and_partners_and_names_who_is_silent(services: Services) -> None:
    database = services.database
    meeting = await a_mixed_session(database)

    found = await summarising.read(database, meeting["id"], "de", through.NOW)

    assert Stage.OPEN is found.shape.stage
    assert (3, 2) == (found.shape.coming, found.shape.silent)
    assert Count("in_person", 2, 1) in found.shape.counts
    assert Count("none", 2, 1) in found.shape.counts
    assert {
        "silent": "Stadt Weimar\n– Dora Stumm\n– Edi Stumm",
        "undecided": "Stadt Gotha\n– Fritz Vielleicht",
    } == dict(found.values)


async def test_an_answer_to_an_old_date_is_none(services: Services) -> None:
    database = services.database
    meeting = await through.a_session(database)
    old = meeting["starts_local"] - timedelta(days=7)
    await builders.an_invitation(database, meeting, answer="in_person", given_starts_local=old)

    found = await summarising.read(database, meeting["id"], "de", through.NOW)

    assert (0, 1) == (found.shape.coming, found.shape.silent)


@pytest.mark.parametrize(
    ("person", "address", "letter", "said"),
    [
        ({"email": None}, None, None, "keine E-Mail-Adresse"),
        ({}, "undeliverable", None, "Adresse unzustellbar"),
        ({}, "blocked", None, "Adresse unzustellbar"),
        ({}, None, "failed", "letzte E-Mail kam nicht an"),
        ({}, None, "dead", "letzte E-Mail kam nicht an"),
        ({}, None, "uncertain", "Zustellung der letzten E-Mail unklar"),
        ({}, None, "sent", ""),
        ({}, None, "queued", ""),
        ({}, None, "cancelled", ""),
    ],
)
async def test_it_names_whom_our_letters_do_not_reach(
    services: Services, person: Row, address: str | None, letter: str | None, said: str
) -> None:
    database = services.database
    meeting = await through.a_session(database)
    mira = await builders.a_person(database, full_name="Mira Muster", **person)
    await builders.an_invitation(database, meeting, mira, answer="in_person")
    if address is not None:
        state = {"address_normal": mira["email_normal"], "state": address}
        await builders.insert(database, "address_state", **state)
    if letter is not None:
        letter_id = await through.a_letter(database, "invitation", mira, meeting)
        await database.fetch("UPDATE outbox SET state = $2 WHERE id = $1", letter_id, letter)

    found = await summarising.read(database, meeting["id"], "de", through.NOW)

    wanted = f"ohne Partner\n– Mira Muster: {said}" if said else None
    assert wanted == found.values.get("unreached")


async def test_it_tells_what_still_leaves(services: Services) -> None:
    database = services.database
    meeting = await through.a_session(database)
    long_ago = through.NOW - timedelta(days=20)
    await builders.an_invitation(database, meeting, answer="in_person", invited_at=long_ago)
    rule = Rule(kind=Kind.REMINDER, audience=COMING, minutes_before=60)
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, rule, meeting_id=meeting["id"])
        await reminding.plan_slots(unit.connection, meeting["id"], through.NOW)

    found = await summarising.read(database, meeting["id"], "en", through.NOW)

    assert found.values["planned"].endswith("\n– Reminder, about 1 email")


@pytest.mark.parametrize(("partners", "people"), [(summarising.MOST_LINES + 2, 1), (1, 62)])
async def test_long_lists_end_with_how_many_more_there_are(
    services: Services, partners: int, people: int
) -> None:
    database = services.database
    meeting = await through.a_session(database)
    for number in range(partners):
        partner = await builders.an_organisation(database, name=f"Stadt {number:03}")
        for _ in range(people):
            await builders.an_invitation(database, meeting, organisation_id=partner["id"])

    found = await summarising.read(database, meeting["id"], "de", through.NOW)
    lines = found.values["silent"].split("\n")

    assert summarising.MOST_LINES == sum(line.startswith("– ") for line in lines)
    assert ["", "und 2 mehr auf der Seite der Sitzung"] == lines[-2:]


async def a_summary(database: Database, meeting: Row, **columns: Any) -> Row:
    """Post a summary to an account of its own, as an expansion would."""
    account = await builders.an_account(database, **columns)
    await through.a_letter(
        *(database, "summary", account, meeting), time_rev=meeting["time_rev"], locale="de"
    )
    return account


async def test_it_leaves_as_text_and_html_without_telephones_and_addresses(
    services: Services,
) -> None:
    database = services.database
    meeting = await a_mixed_session(database)
    account = await a_summary(database, meeting, full_name="Frau Planung")
    (mail,) = await deliver(services)
    message = opened(mail)
    text, html = part(message, "text/plain"), part(message, "text/html")

    assert account["email"] == mail.recipient
    assert message["Subject"].startswith("3 Zusagen, 2 ohne Antwort: ")
    assert "Guten Tag Frau Planung," in text
    people = ("Stadt Weimar", "– Dora Stumm", "– Edi Stumm")
    assert "\n".join(people) in text
    assert "<br>\n".join(people) in html
    for body in (text, html):
        assert f"/buero/termin/{meeting['id']}" in body
        assert "@example.org" not in body.replace("geschaeftsstelle@example.org", "")
        assert "/a/" not in body
    assert message["List-Unsubscribe"] is None


# What stops it.


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("UPDATE account SET disabled_at = now()", "no_access"),
        ("UPDATE account SET role = 'reader'", "no_access"),
        ("UPDATE account SET role = 'lead'", "no_access"),
        ("UPDATE account SET summaries = false", "unsubscribed"),
        ("UPDATE meeting SET state = 'cancelled'", "meeting_cancelled"),
        ("UPDATE meeting SET time_rev = time_rev + 1", "moved"),
        ("UPDATE meeting SET starts_at = now() - interval '1 day'", "started"),
    ],
)
async def test_it_is_judged_again_when_it_leaves(services: Services, sql: str, reason: str) -> None:
    database = services.database
    meeting = await a_mixed_session(database)
    await a_summary(database, meeting)
    await database.fetch(sql)
    mails = await deliver(services)
    (letter,) = await builders.letters(database, kind="summary")

    assert [] == mails
    assert ("cancelled", reason) == (letter["state"], letter["reason"])


async def test_the_choice_is_kept_once_and_noted(database: Database) -> None:
    account = await builders.an_account(database)
    for _ in range(2):
        await summarising.switch(database, COMMAND, account["id"], wanted=False)

    assert not await summarising.is_wanted(database, account["id"])
    assert 1 == await database.fetchval(
        "SELECT count(*) FROM audit WHERE action = 'switched_summaries' AND object_id = $1",
        account["id"],
    )


# Looking ahead.


async def test_looking_ahead_tells_it_with_its_reason(services: Services) -> None:
    database = services.database
    meeting = await a_mixed_session(database)
    await builders.an_account(database, full_name="Frau Planung")
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, ON_THE_EVE, meeting_id=meeting["id"])
        await reminding.plan_slots(unit.connection, meeting["id"], through.NOW)
    found = await foretelling.foretell(
        services, Window(through.NOW, through.NOW + timedelta(days=31))
    )

    assert [("summary", "Frau Planung", None, "rule")] == [
        (one.kind, one.name, one.person_id, one.reason.code) for one in found.letters
    ]
    assert "Dora Stumm" in found.letters[0].text
