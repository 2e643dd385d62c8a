"""Invitations with buttons: what leaves, to whom, from whom, and what stays the same for life."""

import asyncio
import base64
import email
import re
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import icalendar
import pytest
import pytest_asyncio

from calendars import invitation
from calendars.invitation import Method, ReplyTo
from notifications import intake
from service import (
    furnishing,
    inviting,
    joining,
    noticing,
    planning,
    probing,
    requesting,
    scheduling,
)
from service.database import Database
from service.domain import changes
from service.domain.words import Mode, Precision, State, Visibility
from service.hearing import Ear
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from service.tables import meeting_statements
from tests import builders
from tests import database as test_database
from tests.builders import Row
from tests.calendars import readers
from tests.calendars.samples import an_entry
from tests.notifications.smtp_servers import Mail
from tests.service.test_composing import NOW, STARTS, a_letter, a_session, one, opened, part, ready
from tests.service.test_scheduling import OFFICE
from tests.web.mailbox import deliver_raw

__all__ = ["ready"]
_ADDRESS = "termine+@alliance.example.org"


@pytest_asyncio.fixture(loop_scope="session")
async def services(database: Database, ready: None, tmp_path: Path) -> Services:
    """Return services whose ear is open."""
    await database.fetch("INSERT INTO ear (way, heard_at) VALUES ($1, $2)", _ADDRESS, NOW)
    return services_with(database, tmp_path)


def services_with(database: Database, folder: Path, **more: str) -> Services:
    given = {
        "DATA_DIR": f"{folder}/var",
        "TOKEN_KEY": "t1:" + "5a" * 32,
        "SMTP_HOST": "localhost",
        "SMTP_MODE": "plain",
        "MAIL_FROM": "termine@alliance.example.org",
        "MAIL_FROM_NAME": "Geschäftsstelle",
        "IMIP_ADDRESS": _ADDRESS,
        "INTAKE_LMTP": "127.0.0.1:2424",
    }
    settings = Settings.read(
        {f"TERMINBUCH_{name}": value for name, value in (given | more).items()}
    )
    pages = Pages(settings.public_url, Instance("Bündnis", ""), static_urls())
    return Services(settings, database, pages, lambda: NOW, settings.token_keys)


def entry(message: Any) -> Any:
    """Return the one VEVENT of a letter, read by icalendar."""
    (event,) = icalendar.Calendar.from_ical(calendar_of(message)).walk("VEVENT")
    return event


def words(message: Any) -> str:
    """Return the text of a letter on one line."""
    return " ".join(part(message, "text/plain").split())


def calendar_of(message: Any, kind: str = "text/calendar") -> bytes:
    """Return the bytes of a calendar part as they were encoded."""
    [found] = [each for each in message.walk() if each.get_content_type() == kind]
    return base64.b64decode(found.get_payload())


async def request(services: Services, kind: str = "invitation", **more: Any) -> Any:
    message, _ = await one(services, kind, channel="request", **more)
    return message


async def test_mime_tree_exact(services: Services) -> None:
    message = await request(services)

    parts = list(message.walk())
    [calendar] = [each for each in parts if each.get_content_type() == "text/calendar"]
    attached = parts[-1]
    assert [
        *("multipart/mixed", "multipart/alternative", "text/plain", "text/html"),
        *("text/calendar", "application/ics"),
    ] == [each.get_content_type() for each in parts]
    assert ("base64", "REQUEST", "utf-8", None) == (
        calendar["Content-Transfer-Encoding"],
        calendar.get_param("method"),
        calendar.get_content_charset(),
        calendar["Content-Disposition"],
    )
    assert ("attachment", "einladung.ics") == (
        attached.get_content_disposition(),
        attached.get_filename(),
    )
    body = calendar_of(message)
    assert body == calendar_of(message, "application/ics")
    assert b"\r\nMETHOD:REQUEST\r\n" in body
    assert body.count(b"\n") == body.count(b"\r\n")
    assert max(map(len, body.split(b"\r\n"))) <= 75


async def test_request_cancel_pass_libical(services: Services) -> None:
    invited = await request(services)
    cancelled = await request(services, "cancellation", meeting={"state": "cancelled"})
    uninvited = await request(services, "uninvited", state="uninvited")

    reports = [readers.ask_libical(calendar_of(one)) for one in (invited, cancelled, uninvited)]
    assert [True] * 3 == [bool(report["fits_the_method"]) for report in reports]
    assert [0] * 3 == [report["errors"] for report in reports]


async def test_request_contains_only_recipient_and_a_token_of_its_own(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    people = [await builders.a_person(database, full_name=f"Person {n}") for n in range(3)]
    for person in people:
        invitation = await builders.an_invitation(database, meeting, person, channel="request")
        cause = {"invitation": str(invitation["id"])}
        await a_letter(database, "invitation", person, meeting, cause=cause)
    messages = [opened(mail) for mail in await deliver_raw(services)]

    for message in messages:
        attendee = entry(message)["ATTENDEE"]
        assert f"mailto:{message['To'].addresses[0].addr_spec}" == str(attendee)
        assert ("TRUE", "NEEDS-ACTION") == (attendee.params["RSVP"], attendee.params["PARTSTAT"])
    organisers = {str(entry(message)["ORGANIZER"]) for message in messages}
    assert 3 == len(organisers)


async def test_organizer_token_stable_over_update_and_cancel(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    person = await builders.a_person(database)
    invitation = await builders.an_invitation(database, meeting, person, channel="request")
    found = []
    for kind in ("invitation", "change", "cancellation"):
        if kind == "change":
            await inviting.renew_link(database, OFFICE, invitation["id"], NOW)
        if kind == "cancellation":
            await database.fetch("UPDATE meeting SET state = 'cancelled', sequence = 1")
        await database.fetch("DELETE FROM outbox")
        cause = {"invitation": str(invitation["id"])}
        await a_letter(database, kind, person, meeting, cause=cause)
        found += [opened(mail) for mail in await deliver_raw(services)]

    organisers = {str(entry(message)["ORGANIZER"]) for message in found}
    assert ["REQUEST", "REQUEST", "CANCEL"] == [_method(message) for message in found]
    assert 1 == len(organisers)
    [organiser] = organisers
    assert organiser.startswith("mailto:termine+r")
    for message in found:
        assert organiser == f"mailto:{message['Reply-To']}"
        assert "termine@alliance.example.org" == message["From"].addresses[0].addr_spec
        assert "termine@alliance.example.org" == entry(message)["ORGANIZER"].params["EMAIL"]
    handle = probing.read_handle(
        services.settings, services.keys, organiser.removeprefix("mailto:")
    )
    assert invitation["handle"] == handle


def _method(message: Any) -> str:
    (calendar,) = [one for one in message.walk() if one.get_content_type() == "text/calendar"]
    return str(calendar.get_param("method"))


async def test_uninvite_cancel_has_no_status_and_sequence_plus_one(services: Services) -> None:
    database = services.database
    meeting = await a_session(database, sequence=3)
    person, other = [await builders.a_person(database) for _ in range(2)]
    invitation = await builders.an_invitation(database, meeting, person, channel="request")
    await builders.an_invitation(database, meeting, other, channel="request")
    notice_id = await inviting.uninvite(database, OFFICE, invitation["id"], NOW)
    assert notice_id is not None
    await noticing.send_now(database, OFFICE, notice_id, NOW)
    (mail,) = await deliver_raw(services)

    event = entry(opened(mail))
    assert "CANCEL" == _method(opened(mail))
    assert ("STATUS" in event, event["SEQUENCE"]) == (False, 4)
    assert f"mailto:{mail.recipient}" == str(event["ATTENDEE"])


_FACTS = changes.MeetingFacts(
    state=State.CONFIRMED,
    title="16. Sitzung",
    starts_local=datetime(2027, 1, 21, 10),  # noqa: DTZ001 - wall time
    ends_local=datetime(2027, 1, 21, 12),  # noqa: DTZ001 - wall time
    mode=Mode.HYBRID,
    place_name="Rathaus",
    town="Erfurt",
    online_url="https://video.example.org/a",
)


_CHANGES: tuple[tuple[str, Any, bool, bool], ...] = (
    ("starts_local", datetime(2027, 1, 22, 10), True, True),  # noqa: DTZ001 - wall time
    ("ends_local", datetime(2027, 1, 21, 13), True, True),  # noqa: DTZ001 - wall time
    ("precision", Precision.DAY, True, True),
    ("zone", "Europe/London", True, True),
    ("place_name", "Stadthalle", True, True),
    ("room", "Saal 2", True, True),
    ("street", "Fischmarkt 1", True, True),
    ("town", "Gotha", True, True),
    ("mode", Mode.ONLINE, True, True),
    ("online_url", "https://video.example.org/b", True, True),
    ("dial_in", "0361 123", True, True),
    ("state", State.CANCELLED, True, True),
    ("state", State.POSTPONED, True, True),
    ("title", "16. Arbeitsgruppensitzung", False, False),
    ("description", "Neu", False, False),
    ("agenda", "1. Neu", False, False),
    ("place_access", "Aufzug links", False, False),
    ("capacity", 20, False, False),
    ("answer_by_local", datetime(2027, 1, 15, 12), False, False),  # noqa: DTZ001 - wall time
    ("visibility", Visibility.INTERNAL, False, False),
)


@pytest.mark.parametrize(("field", "value", "rises", "is_told"), _CHANGES)
def test_major_vs_minor_change_table(field: str, value: Any, *, rises: bool, is_told: bool) -> None:
    effect = changes.diff(_FACTS, replace(_FACTS, **{field: value}))

    assert (rises, is_told) == (effect.bumps_sequence, effect.notice is not None)


def test_major_vs_minor_change_table_names_every_field() -> None:
    assert {one.name for one in fields(changes.MeetingFacts)} == {row[0] for row in _CHANGES}


async def test_concurrent_edits_two_replicas_unique_sequence(database: Database) -> None:
    meeting = await builders.a_meeting(database, of=await builders.a_group(database))
    async with test_database.patient(database.dsn, pool_size=4) as replica:

        async def edit(where: Database, number: int) -> int:
            form, _ = await planning.load_form(where, meeting["id"])
            form = replace(form, room=f"Saal {number}")
            saved = await scheduling.change(where, OFFICE, meeting["id"], form, NOW)
            return saved.revision

        numbers = enumerate((database, replica) * 5)
        revisions = await asyncio.gather(*(edit(where, number) for number, where in numbers))

    row = await builders.read(database, "meeting", meeting["id"])
    assert 10 == row["sequence"]
    assert list(range(meeting["revision"] + 1, meeting["revision"] + 11)) == sorted(revisions)


async def test_concurrent_edits_two_replicas_unique_sequence_when_people_are_taken_off(
    database: Database,
) -> None:
    meeting = await a_session(database)
    async with test_database.patient(database.dsn, pool_size=4) as replica:

        async def edit(where: Database) -> UUID | None:
            async with where.unit_of_work() as unit:
                found: UUID | None = await unit.connection.fetchval(
                    meeting_statements.RAISE_SEQUENCE, meeting["id"], NOW
                )
                return found

        await asyncio.gather(*(edit(where) for where in (database, replica) * 5))

    row = await builders.read(database, "meeting", meeting["id"])
    assert (10, 10) == (row["sequence"], row["revision"] - meeting["revision"])


async def test_resend_is_byte_identical(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    person = await builders.a_person(database)
    invitation = await builders.an_invitation(database, meeting, person, channel="request")
    cause = {"invitation": str(invitation["id"])}
    await a_letter(database, "invitation", person, meeting, cause=cause)
    (first,) = await deliver_raw(services)
    # As if nobody knew whether it arrived; meanwhile the session and the person have changed.
    await database.fetch(
        "UPDATE outbox SET state = 'queued', uncertain_count = 1, finished_at = NULL,"
        " accepted_at = NULL, next_attempt_at = now()"
    )
    await database.fetch("UPDATE meeting SET title = 'Anders', sequence = 7, revision = 9")
    await database.fetch("UPDATE person SET full_name = 'Ganz Anders'")
    (again,) = await deliver_raw(services)

    assert first.raw == again.raw


async def test_no_token_is_stored(services: Services) -> None:
    message = await request(services)

    token = str(entry(message)["ORGANIZER"]).partition("+r")[2].partition("@")[0]
    kept = await services.database.fetchval(
        "SELECT string_agg(l::text, '') || (SELECT string_agg(p::text, '') FROM prototype p)"
        " FROM letter l"
    )
    assert 52 == len(token)
    assert token not in kept


@pytest.mark.parametrize(
    ("kind", "method", "more"),
    [
        ("change", "REQUEST", {}),
        ("cancellation", "CANCEL", {"meeting": {"state": "cancelled"}}),
        ("uninvited", "CANCEL", {"state": "uninvited"}),
    ],
)
async def test_while_the_ear_is_deaf_an_entry_asks_for_nothing_and_names_the_offices_mailbox(
    services: Services, kind: str, method: str, more: dict[str, Any]
) -> None:
    await services.database.fetch("UPDATE ear SET heard_at = $1", NOW - timedelta(hours=25))
    message = await request(services, kind, **more)

    event = entry(message)
    assert (method, "FALSE") == (_method(message), event["ATTENDEE"].params["RSVP"])
    # Some programs take a CANCEL only from who called the meeting.
    assert "mailto:geschaeftsstelle@example.org" == str(event["ORGANIZER"])
    assert "geschaeftsstelle@example.org" == message["Reply-To"]
    assert {"CN": "Geschäftsstelle"} == dict(event["ORGANIZER"].params)


async def test_an_office_that_moved_is_named_at_once(services: Services) -> None:
    database = services.database
    await database.fetch("UPDATE ear SET heard_at = $1", NOW - timedelta(hours=25))
    meeting = await a_session(database)
    person = await builders.a_person(database)
    invitation = await builders.an_invitation(database, meeting, person, channel="request")
    found = []
    for address in ("geschaeftsstelle@example.org", "neu@example.org", ""):
        await database.fetch("UPDATE instance SET email = $1", address)
        furnishing.forget(database)
        cause = {"invitation": str(invitation["id"]), "office": address}
        await a_letter(database, "change", person, meeting, cause=cause)
        found += [opened(mail) for mail in await deliver_raw(services)]

    own = services.settings.mail_from
    named = [str(entry(message)["ORGANIZER"]).removeprefix("mailto:") for message in found]
    assert ["geschaeftsstelle@example.org", "neu@example.org", own] == named


async def test_an_answer_that_stands_is_shown_in_the_entry(services: Services) -> None:
    starts = (NOW + timedelta(days=30)).replace(hour=9, minute=0, second=0, tzinfo=None)
    message = await request(
        services, "change", answer="in_person", given_starts_local=starts, given_mode="hybrid"
    )

    assert "ACCEPTED" == entry(message)["ATTENDEE"].params["PARTSTAT"]


@pytest.mark.parametrize("locale", ["de", "en"])
async def test_the_letter_says_that_buttons_answer(services: Services, locale: str) -> None:
    message = await request(services, person={"locale": locale})

    said = {"de": "mit den Knöpfen Ihres", "en": "with the buttons of your"}[locale]
    assert said in words(message)


async def test_a_nudge_says_that_nothing_came_from_the_calendar(services: Services) -> None:
    with_buttons = await request(services, "nudge")
    without, _ = await one(services, "nudge")

    told = ["dort nicht gesendet" in words(m) for m in (with_buttons, without)]
    assert [True, False] == told


async def test_a_receipt_brings_no_second_entry(services: Services) -> None:
    message = await request(services, "receipt", answer="online")

    assert "" == part(message, "text/calendar")


def test_what_people_type_opens_no_gap() -> None:
    odd = an_entry(summary="⟦reply_token⟧", description="⟦calendar_attendee⟧ " * 30, organiser=None)
    reply_to = ReplyTo("Büro", "termine@example.org", "termine+r", "example.org", takes_token=True)
    body = invitation.render_template(odd, Method.REQUEST, reply_to, requesting.GAPS).decode()

    assert ["calendar_stamp", "reply_token", "calendar_attendee"] == re.findall("⟦(.*?)⟧", body)


@pytest.mark.parametrize(
    ("is_open", "wishes_none", "channel"),
    [(True, False, "request"), (False, False, "publish"), (True, True, "plain")],
)
async def test_the_way_is_fixed_with_the_first_letter(
    services: Services, *, is_open: bool, wishes_none: bool, channel: str
) -> None:
    database = services.database
    if not is_open:
        await database.fetch("DELETE FROM ear")
    meeting = await a_session(database)
    person = await builders.a_person(database)
    if wishes_none:
        await builders.insert(database, "preference", person_id=person["id"], no_calendar=True)
    invitation = await builders.an_invitation(database, meeting, person, state="planned")
    notice_id = await noticing.invite(database, OFFICE, meeting["id"], NOW)
    assert notice_id is not None
    await noticing.send_now(database, OFFICE, notice_id, NOW)
    await database.fetch("DELETE FROM ear")

    row = await builders.read(database, "invitation", invitation["id"])
    assert channel == row["channel"]


@pytest.mark.parametrize(
    ("address", "organiser"),
    [
        ("@antwort.alliance.example.org", "mailto:r{token}@antwort.alliance.example.org"),
        ("antwort@alliance.example.org", "mailto:antwort@alliance.example.org"),
    ],
)
async def test_mail_systems_without_plus_signs_have_other_forms(
    database: Database, ready: None, tmp_path: Path, address: str, organiser: str
) -> None:
    await database.fetch("INSERT INTO ear (way, heard_at) VALUES ($1, $2)", address, NOW)
    services = services_with(database, tmp_path, IMIP_ADDRESS=address)
    message, invitation = await one(services, "invitation", channel="request")

    token = probing.derive_token(services.keys, invitation["handle"])
    found = str(entry(message)["ORGANIZER"])
    assert organiser.format(token=token) == found
    assert found == f"mailto:{message['Reply-To']}"


async def probes(services: Services) -> Row:
    row = await services.database.fetchrow("SELECT * FROM ear")
    assert row is not None
    return dict(row)


async def test_a_letter_to_ourselves_that_comes_back_opens_the_ear(
    database: Database, ready: None, tmp_path: Path
) -> None:
    services = services_with(database, tmp_path)
    before = await probing.look(database, services.settings)
    posted = [await probing.post_probe(services, NOW) for _ in range(2)]
    (mail,) = await deliver_raw(services)

    taken = await intake.take(database, Ear(services).options, mail.raw, mail.recipient, NOW)
    after = await probing.look(database, services.settings)

    assert ([True, False], "own") == (posted, taken.kind)
    assert [False, True] == [before.is_open(NOW), after.is_open(NOW)]
    assert not after.is_open(NOW + timedelta(hours=25))
    assert mail.recipient.startswith("termine+r")
    assert 1 == len(list(email.message_from_bytes(mail.raw).get_all("To", [])))


async def test_a_forged_or_old_letter_to_ourselves_opens_nothing(
    database: Database, ready: None, tmp_path: Path
) -> None:
    services = services_with(database, tmp_path)
    await probing.post_probe(services, NOW)
    letter_id = (await probes(services))["letter_id"]
    async with database.unit_of_work() as unit:
        heard = [
            await probing.hear(unit.connection, (UUID(int=7),), NOW),
            await probing.hear(unit.connection, (letter_id,), NOW + timedelta(hours=25)),
            await probing.hear(unit.connection, (letter_id,), NOW + timedelta(hours=23)),
        ]

    assert [False, False, True] == heard


async def test_a_new_address_is_deaf_until_it_was_tried(services: Services, tmp_path: Path) -> None:
    other = services_with(services.database, tmp_path, IMIP_ADDRESS="@a.alliance.example.org")
    found = await probing.look(services.database, other.settings)
    due = await probing.post_probe(other, datetime.now(UTC))

    assert (False, True) == (found.is_open(NOW), due)
    assert None is (await probes(other))["heard_at"]


async def test_without_an_address_nothing_is_tried_and_nothing_hears(
    services: Services, tmp_path: Path
) -> None:
    deaf = services_with(services.database, tmp_path, IMIP_ADDRESS="")
    due = await probing.post_probe(deaf, NOW)

    assert (False, None) == (due, await services.database.fetchrow("SELECT * FROM ear"))


async def test_a_removal_takes_the_entry_out_of_one_calendar_only(services: Services) -> None:
    message = await request(
        services, requesting.REMOVAL, answer="declined", meeting={"sequence": 4}
    )

    event = entry(message)
    assert ("CANCEL", 5) == (_method(message), event["SEQUENCE"])
    assert "STATUS" not in event
    assert 4 == await services.database.fetchval("SELECT sequence FROM meeting")


@pytest.mark.parametrize("locale", ["de", "en"])
@pytest.mark.parametrize("because", ["hybrid", "late", "full", "old_date", "unconfirmed"])
async def test_a_letter_tells_what_the_button_did_not_show(
    services: Services, because: str, locale: str
) -> None:
    database = services.database
    meeting = await a_session(database)
    person = await builders.a_person(database, locale=locale)
    invitation = await builders.an_invitation(database, meeting, person, channel="request")
    cause = {"invitation": str(invitation["id"]), "because": because}
    await a_letter(database, "answer_differs", person, meeting, cause=cause, locale=locale)
    (mail,) = await deliver_raw(services)

    has_entry = "text/calendar" in [each.get_content_type() for each in opened(mail).walk()]
    assert (because == "old_date") is has_entry
    assert "/a/" in words(opened(mail))


async def test_several_changes_at_once_move_each_entry_by_a_letter_of_its_own(
    services: Services,
) -> None:
    database = services.database
    person = await builders.a_person(database)
    group = await builders.a_group(database)
    meetings = [
        await builders.a_meeting(database, of=group, number=n, starts_local=STARTS + timedelta(n))
        for n in range(2)
    ]
    ways = ("request", "publish")
    for meeting, channel in zip(meetings, ways, strict=True):
        await builders.an_invitation(database, meeting, person, channel=channel)
        await scheduling.cancel(database, OFFICE, meeting["id"], "Krank", NOW)
    await noticing.queue_due(database, NOW + timedelta(minutes=11))
    messages = [opened(mail) for mail in await deliver_later(services)]

    kinds = await database.fetch("SELECT kind FROM letter ORDER BY kind")
    assert ["entry_update", "several"] == [row["kind"] for row in kinds]
    [brief] = [one for one in messages if "CANCEL" in _methods(one)]
    [several] = [one for one in messages if one is not brief]
    assert ("CANCELLED", 1) == (entry(brief)["STATUS"], entry(brief)["SEQUENCE"])
    assert "nimmt nur den Termin aus Ihrem Kalender" in words(brief)
    assert ["PUBLISH"] == _methods(several)


async def test_a_farewell_takes_entries_with_buttons_out_and_says_which_to_delete(
    services: Services,
) -> None:
    database = services.database
    group = await builders.a_group(database)
    person = await builders.a_person(database, member_of=group)
    for n, channel in enumerate(("request", "publish")):
        starts = STARTS + timedelta(n)
        meeting = await builders.a_meeting(database, of=group, number=n, starts_local=starts)
        await builders.an_invitation(database, meeting, person, channel=channel)
    async with database.unit_of_work() as unit:
        left = {person["id"]: set[UUID]()}
        await joining.regroup(unit.connection, OFFICE, left, NOW, with_letters=True)
    await noticing.queue_due(database, NOW + timedelta(minutes=11))
    messages = [opened(mail) for mail in await deliver_later(services)]

    [brief] = [one for one in messages if _methods(one)]
    [farewell] = [one for one in messages if one is not brief]
    event = entry(brief)
    assert ["CANCEL"] == _methods(brief)
    assert ("STATUS" in event, event["SEQUENCE"]) == (False, 1)
    assert 2 == words(farewell).count("löschen Sie ihn dort")


async def deliver_later(services: Services) -> list[Mail]:
    """Deliver what a countdown has put off, one after the other where one waits for another."""
    await services.database.fetch("UPDATE outbox SET next_attempt_at = now()")
    return [*await deliver_raw(services), *await deliver_raw(services)]


def _methods(message: Any) -> list[str]:
    parts = [one for one in message.walk() if one.get_content_type() == "text/calendar"]
    return [str(one.get_param("method")) for one in parts]


async def test_invitations_to_several_sessions_bring_their_entries_as_files(
    services: Services,
) -> None:
    database = services.database
    person = await builders.a_person(database)
    group = await builders.a_group(database)
    for number in range(2):
        starts = STARTS + timedelta(days=number)
        meeting = await builders.a_meeting(database, of=group, number=number, starts_local=starts)
        await builders.an_invitation(database, meeting, person, state="planned")
        await noticing.invite(database, OFFICE, meeting["id"], NOW)
    await noticing.queue_due(database, NOW + timedelta(minutes=11))
    (mail,) = await deliver_later(services)

    channels = await database.fetch("SELECT channel FROM invitation")
    assert ["PUBLISH", "PUBLISH"] == _methods(opened(mail))
    assert ["publish", "publish"] == [row["channel"] for row in channels]
