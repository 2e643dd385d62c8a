"""Letters through the real clerk, postman, PostgreSQL and SMTP."""

import email
import email.policy
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import icalendar
import pytest
import pytest_asyncio

from notifications import outbox
from notifications.clerk import Go, Stop
from notifications.outbox import NewLetter
from notifications.postman import Options, Postman
from service import furnishing, preferring, relaying, tokens
from service.composing import Clerk
from service.database import Database
from service.domain import changes
from service.domain.preferences import Topic
from service.domain.words import NoticeKind
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from service.tables import facts
from service.tokens import Purpose
from tests import builders
from tests.builders import Row
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Mail

NOW = datetime.now(UTC).replace(microsecond=0)
"""The outbox asks the database's clock, so these tests live today."""
STARTS = (NOW + timedelta(days=30)).replace(hour=9, minute=0, second=0, tzinfo=None)
MEETING_KINDS = (
    "invitation",
    "date_confirmed",
    "change",
    "cancellation",
    "postponed",
    "uncancellation",
    "uninvited",
    "nudge",
    "reminder",
    "receipt",
)
_ADDRESS_FAILS = """
INSERT INTO address_state (address_normal, state) SELECT email_normal, 'undeliverable' FROM person
"""
_STATES = {"cancellation": "cancelled", "postponed": "postponed"}
_ANSWERED = {"reminder": "online", "receipt": "represented"}


@pytest_asyncio.fixture(loop_scope="session")
async def ready(database: Database) -> AsyncIterator[None]:
    await builders.a_ready_office(database)
    yield
    furnishing.forget(database)


@pytest.fixture
def services(settings: Settings, database: Database, ready: None) -> Services:
    pages = Pages(settings.public_url, Instance("Bündnis", ""), static_urls())
    return Services(settings, database, pages, lambda: NOW, settings.token_keys)


async def a_session(database: Database, **columns: Any) -> Row:
    group = await builders.a_group(database, name="Arbeitsgruppe Klima")
    given = {
        "starts_local": STARTS,
        "agenda": "1. Begrüßung\n2. Verschiedenes",
        "mode": "hybrid",
        "online_url": "https://video.example.org/klima",
    }
    return await builders.a_meeting(database, of=group, **given | columns)


async def a_letter(
    database: Database, kind: str, person: Row, meeting: Row | None, **more: Any
) -> UUID:
    letter = NewLetter(
        dedupe_key=f"{kind}:{person['id']}:{more.get('cause')}",
        kind=kind,
        recipient_id=person["id"],
        subject_id=meeting and meeting["id"],
        ordering_key=f"{person['id']}:{kind}",
        not_before=NOW - timedelta(seconds=1),
        expires_at=NOW + timedelta(days=1),
        recipient_domain="example.org",
    )
    async with database.unit_of_work() as unit:
        letter_id = await outbox.post(unit.connection, replace(letter, **more))
    assert letter_id is not None
    return letter_id


async def everything(database: Database, locale: str) -> dict[str, UUID]:
    """Post one letter of each kind to a person each, as the use cases would."""
    posted = {}
    for kind in MEETING_KINDS:
        meeting = await a_session(database, state=_STATES.get(kind, "confirmed"))
        of = await builders.an_organisation(database, name=f"Stadt {kind} {locale}")
        person = await builders.a_person(database, full_name="Mira Muster", locale=locale)
        answer = _ANSWERED.get(kind)
        state = "uninvited" if kind == "uninvited" else "invited"
        invitation = await builders.an_invitation(
            *(database, meeting, person),
            state=state,
            answer=answer,
            organisation_id=of["id"],
            deputy_name="Jan Beispiel" if answer == "represented" else "",
        )
        cause = {"invitation": str(invitation["id"])}
        if kind == "change":
            before = replace(facts.read(meeting), room="Saal 9")
            columns = {"before": changes.to_json(before), "kind": NoticeKind.CHANGE}
            notice = await builders.a_notice(database, meeting, **columns)
            cause["notice"] = str(notice["id"])
        posted[kind] = await a_letter(
            *(database, kind, person, meeting), cause=cause, locale=locale
        )
    return posted | await _plain(database, locale)


async def _plain(database: Database, locale: str) -> dict[str, UUID]:
    account = await builders.an_account(database, locale=locale)
    token = await builders.insert(
        database,
        "one_time_token",
        purpose="sign_in",
        secret_hash=account["id"].bytes,
        account_id=account["id"],
        created_at=NOW,
        # Of this very moment: the run may have begun a quarter of an hour ago.
        expires_at=datetime.now(UTC) + timedelta(minutes=15),
    )
    person = await builders.a_person(database, full_name="Mira Muster", locale=locale)
    invitation = await builders.an_invitation(database, await a_session(database), person)
    await builders.insert(database, "preference", person_id=person["id"], digest=True)
    mine = str(invitation["id"])
    week = {"week": "2027-W01", "day": "2027-01-04", "open": [mine], "coming": [mine],
        "changes": [[mine, "change"]]}  # fmt: skip
    hint = {"page": "https://example.org/x", "problem": "Kontrast", "email": "", "need": ""}
    return {
        "sign_in": await a_letter(
            *(database, "sign_in", account, None),
            cause={"token_id": str(token["id"])},
            locale=locale,
        ),
        "digest": await a_letter(*(database, "digest", person, None), cause=week, locale=locale),
        "lost_links": await a_letter(database, "lost_links", person, None, locale=locale),
        "hint_received": await a_letter(
            *(database, "hint_received", person, None),
            recipient_id=None,
            cause=hint,
            locale=locale,
        ),
        "probe": await a_letter(
            *(database, "probe", person, None), recipient_id=None, locale=locale
        ),
    }


async def deliver(services: Services) -> list[Mail]:
    """Send what is due through a real postman to a real server; return what arrived."""
    async with smtp_servers.running() as server:
        options = Options(once_kinds=relaying.ONCE_KINDS, clock=services.clock)
        postman = Postman(
            services.database,
            server.relay(),
            Clerk(services),
            relaying.sender(services.settings),
            options,
        )
        await postman.deliver()
        await postman.stop()
        return server.mails


def opened(mail: Mail) -> EmailMessage:
    message = email.message_from_bytes(mail.raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def part(message: EmailMessage, kind: str) -> str:
    found = [each for each in message.walk() if each.get_content_type() == kind]
    content: str = found[0].get_content() if found else ""
    return content.replace("\r\n", "\n")


@pytest.mark.parametrize("locale", ["de", "en"])
async def test_every_kind_passes_the_gate_and_a_real_mail_server(
    services: Services, database: Database, locale: str
) -> None:
    posted = await everything(database, locale)

    mails = await deliver(services)

    rows = await database.fetch(
        "SELECT l.kind, o.state, o.reason FROM outbox o JOIN letter l USING (id)"
    )
    assert {(kind, "sent", None) for kind in posted} == {tuple(row) for row in rows}
    assert len(posted) == len(mails)
    for mail in mails:
        message = opened(mail)
        assert locale == message["Content-Language"]
        assert not any("⟦" in part(message, kind) for kind in ("text/plain", "text/html"))


async def one(services: Services, kind: str, **more: Any) -> tuple[EmailMessage, Row]:
    """Send one letter of a kind; return it and the invitation it is about."""
    database = services.database
    meeting = await a_session(database, **more.pop("meeting", {}))
    person = await builders.a_person(
        database, full_name="Mira Muster", **more.pop("person", {"locale": "de"})
    )
    invitation = await builders.an_invitation(database, meeting, person, **more)
    cause = {"invitation": str(invitation["id"])}
    await a_letter(*(database, kind, person, meeting), cause=cause, locale=person["locale"])
    (mail,) = await deliver(services)
    return opened(mail), invitation


def link_of(services: Services, invitation: Row, locale: str = "de") -> str:
    token = tokens.derive(services.keys, Purpose.ANSWER, invitation["handle"], 1)
    return f"{services.settings.public_url}{'/en' if locale == 'en' else ''}/a/{token}"


@pytest.mark.parametrize("locale", ["de", "en"])
async def test_an_invitation_has_text_html_and_a_calendar_file(
    services: Services, locale: str
) -> None:
    message, invitation = await one(services, "invitation", person={"locale": locale})

    tree = [each.get_content_type() for each in message.walk()]
    text, page = part(message, "text/plain"), part(message, "text/html")
    link = link_of(services, invitation, locale)
    assert [
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/calendar",
    ] == tree
    for word in ("vor-ort", "online", "vertretung", "absage"):
        assert f"\n{link}?w={word}\n" in text
        assert f'href="{link}?w={word}"' in page
    assert message["Reply-To"] == "geschaeftsstelle@example.org"
    assert (
        message["References"] == f"<meeting-{await _uid(services, invitation)}@{_domain(services)}>"
    )


async def _uid(services: Services, invitation: Row) -> UUID:
    uid: UUID = await services.database.fetchval(
        "SELECT uid FROM meeting WHERE id = $1", invitation["meeting_id"]
    )
    return uid


def _domain(services: Services) -> str:
    return services.settings.mail_domain


async def test_the_calendar_file_takes_the_date_along_and_asks_for_nothing(
    services: Services,
) -> None:
    """No button without an ear: what a program would answer would reach nobody."""
    message, invitation = await one(services, "invitation")
    (event,) = icalendar.Calendar.from_ical(part(message, "text/calendar")).walk("VEVENT")

    meeting = await builders.read(services.database, "meeting", invitation["meeting_id"])
    assert (str(meeting["uid"]), meeting["starts_at"]) == (
        str(event["UID"]).partition("@")[0],
        event.decoded("DTSTART").astimezone(UTC),
    )
    assert "PUBLISH" in part(message, "text/calendar")
    assert "ATTENDEE" not in event


async def test_the_private_link_stands_in_no_calendar_file(services: Services) -> None:
    """Calendars are shared; the link answers for its person."""
    message, invitation = await one(services, "invitation")

    calendar = part(message, "text/calendar").replace("\n ", "")
    slug = await services.database.fetchval(
        "SELECT slug FROM meeting WHERE id = $1", invitation["meeting_id"]
    )
    assert "/a/" not in calendar
    assert f"{services.settings.public_url}/termin/{slug}" in calendar


async def test_a_cancellation_carries_a_cancelled_entry(services: Services) -> None:
    meeting = {"state": "cancelled", "cancel_reason": "Erkrankung", "sequence": 2}
    message, _ = await one(services, "cancellation", meeting=meeting)
    (event,) = icalendar.Calendar.from_ical(part(message, "text/calendar")).walk("VEVENT")

    assert ("CANCELLED", 2) == (event["STATUS"], event["SEQUENCE"])
    assert "Grund:       Erkrankung" in part(message, "text/plain")


async def test_whoever_declined_gets_no_calendar_file_with_the_receipt(services: Services) -> None:
    message, _ = await one(services, "receipt", answer="declined")

    assert "" == part(message, "text/calendar")


async def test_the_first_letter_says_where_the_address_is_from_and_later_ones_do_not(
    services: Services,
) -> None:
    first, _ = await one(services, "invitation")
    later, _ = await one(services, "invitation", person={"first_letter_on": NOW.date()})

    assert "Woher wir Ihre Angaben haben" in part(first, "text/plain")
    assert "Woher wir Ihre Angaben haben" not in part(later, "text/plain")


async def test_whoever_belongs_to_no_partner_is_not_told_that_one_named_them(
    services: Services,
) -> None:
    message, _ = await one(services, "invitation")

    text = " ".join(part(message, "text/plain").split())
    assert "Ihren Namen und Ihre Adresse haben wir selbst eingetragen" in text
    assert "Ihre Organisation" not in text


async def test_a_partner_that_is_not_known_leaves_no_gap(services: Services) -> None:
    message, _ = await one(services, "invitation")

    text = part(message, "text/plain")
    assert "Diese E-Mail ist für\nMira Muster\n\n" in text
    assert "\n\n\n" not in text


async def test_a_name_with_markup_stays_a_name(services: Services) -> None:
    name = 'Mira <b>"Muster"</b> & Co'
    database = services.database
    meeting = await a_session(database)
    person = await builders.a_person(database, full_name=name)
    await builders.an_invitation(database, meeting, person)
    await a_letter(database, "invitation", person, meeting)
    (mail,) = await deliver(services)

    message = opened(mail)
    assert f"Guten Tag {name}," in part(message, "text/plain")
    assert "Mira &lt;b&gt;" in part(message, "text/html")


async def test_people_who_share_a_mailbox_get_all_links_in_one_letter(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    invitations = []
    for name in ("Mira Muster", "Jan Beispiel"):
        person = await builders.a_person(database, full_name=name, email="amt@example.org")
        invitations.append(await builders.an_invitation(database, meeting, person))
    await a_letter(database, "lost_links", person, None)
    (mail,) = await deliver(services)

    text, html = (part(opened(mail), f"text/{kind}") for kind in ("plain", "html"))
    links = [link_of(services, each) for each in invitations]
    assert all(f"\n{link}\n" in text for link in links)
    assert all(f"\n{name}, " in text for name in ("Mira Muster", "Jan Beispiel"))
    pressed = re.findall(r'<a [^>]*href="\s*([^"\s]+)\s*"[^>]*>\s*([^<\s]+)\s*</a>', html)
    assert {(link, link) for link in links} <= set(pressed)


async def test_tokens_are_stored_nowhere(services: Services) -> None:
    await everything(services.database, "de")
    mails = await deliver(services)
    secrets = {
        word
        for mail in mails
        for word in re.findall("/(?:a|b|l)/([a-z0-9]{40,})", part(opened(mail), "text/plain"))
    }

    stored = await services.database.fetch(
        "SELECT to_jsonb(l)::text FROM letter l UNION ALL SELECT segments::text FROM prototype"
    )
    assert secrets
    assert [] == [word for word in secrets if any(word in row[0] for row in stored)]


async def test_a_batch_is_judged_by_one_query_and_composed_once(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    ids = []
    for number in range(20):
        person = await builders.a_person(database, first_letter_on=NOW.date())
        answer = "in_person" if number % 2 else None
        await builders.an_invitation(database, meeting, person, answer=answer)
        ids.append(await a_letter(database, "invitation", person, meeting))

    verdicts = await Clerk(services).look_up(ids)

    assert set(ids) == set(verdicts)
    assert 1 == len({each.prototype_key for each in verdicts.values() if isinstance(each, Go)})


async def test_the_offices_new_telephone_number_stands_in_the_next_letter(
    services: Services,
) -> None:
    database = services.database
    clerk, meeting = Clerk(services), await a_session(database)
    person = await builders.a_person(database)
    await builders.an_invitation(database, meeting, person)
    letter = await a_letter(database, "invitation", person, meeting)
    before = (await clerk.look_up([letter]))[letter]
    await database.fetch("UPDATE instance SET phone = '0361 999'")
    furnishing.forget(database)
    after = (await clerk.look_up([letter]))[letter]

    assert isinstance(before, Go)
    assert isinstance(after, Go)
    assert before.prototype_key != after.prototype_key
    assert "0361 999" in (await clerk.compose(after.prototype_key)).text


@pytest.mark.parametrize(
    ("change", "stop"),
    [
        ("UPDATE person SET email = NULL", Stop("no_address")),
        ("UPDATE person SET anonymised_at = now()", Stop("no_address")),
        ("UPDATE person SET ended_on = current_date - 1", Stop("no_address")),
        ("UPDATE invitation SET state = 'uninvited'", Stop("uninvited")),
        ("UPDATE meeting SET state = 'cancelled'", Stop("meeting_cancelled")),
        ("UPDATE meeting SET time_rev = time_rev + 1", Stop("moved")),
        ("UPDATE invitation SET answer = 'declined'", Stop("declined")),
        ("UPDATE invitation SET answer = NULL", Stop("answer_changed")),
        (_ADDRESS_FAILS, Stop("undeliverable", "held")),
        ("DELETE FROM legal_text", Stop("not_ready", "held")),
    ],
)
async def test_a_reminder_stops_when_the_world_has_changed(
    services: Services, change: str, stop: Stop
) -> None:
    database = services.database
    meeting = await a_session(database)
    person = await builders.a_person(database)
    await builders.an_invitation(database, meeting, person, answer="in_person")
    letter = await a_letter(database, "reminder", person, meeting)
    await database.fetch(change)
    furnishing.forget(database)

    assert {letter: stop} == await Clerk(services).look_up([letter])


@pytest.mark.parametrize(
    ("locale", "counts"),
    [
        ("de", "Zusagen: 2 Unentschieden: 0 Ohne Antwort: 1 Absagen: 1"),
        ("en", "Accepted: 2 Undecided: 0 No answer: 1 Declined: 1"),
    ],
)
async def test_only_who_leads_the_group_reads_in_a_reminder_how_many_have_answered(
    services: Services, locale: str, counts: str
) -> None:
    database = services.database
    meeting = await a_session(database)
    group_id = await database.fetchval("SELECT group_id FROM meeting_group")
    rule = await builders.insert(
        *(database, "reminder_rule"),
        kind="reminder",
        audience=["accepted", "lead"],
        minutes_before=60,
    )
    for answer, role in ((None, "lead"), ("in_person", "member"), ("online", None)):
        person = await builders.a_person(database, locale=locale)
        await builders.an_invitation(database, meeting, person, answer=answer)
        if role is not None:
            await builders.a_membership(database, person, {"id": group_id}, role=role)
        cause = {"rule": str(rule["id"])}
        await a_letter(database, "reminder", person, meeting, cause=cause, locale=locale)
    others = {"answer": "declined"}, {"state": "uninvited"}
    for columns in others:
        await builders.an_invitation(
            *(database, meeting, await builders.a_person(database)), **columns
        )
    mails = await deliver(services)
    found = [" ".join(part(opened(mail), "text/plain").split()).count(counts) for mail in mails]

    assert [0, 0, 1] == sorted(found)


async def test_one_letter_tries_an_address_that_does_not_work(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    person = await builders.a_person(database)
    await builders.an_invitation(database, meeting, person)
    first = await a_letter(database, "change", person, meeting, cause={"n": 1})
    second = await a_letter(database, "change", person, meeting, cause={"n": 2})
    await database.fetch(_ADDRESS_FAILS)

    found = await Clerk(services).look_up([first])
    later = await Clerk(services).look_up([first, second])

    assert [True, True] == [isinstance(one, Go) for one in (found[first], later[first])]
    assert Stop("undeliverable", "held") == later[second]


# What can be switched off says so.


_MAILBOX = {"imap_host": "m.example.org", "imap_user": "rueck", "imap_password": "secret"}


@pytest.mark.parametrize(
    ("ear", "local"),
    [
        ({"intake_lmtp": "127.0.0.1:2424"}, "unsub+"),
        ({**_MAILBOX, "bounce_per_letter": True}, "rueck+u-"),
        ({**_MAILBOX, "bounce_per_letter": False}, ""),
        ({}, ""),
    ],
    ids=["server", "mailbox", "plain mailbox", "deaf"],
)
@pytest.mark.parametrize(
    ("kind", "answer", "topic"),
    [("reminder", "online", Topic.REMINDERS), ("nudge", None, Topic.NUDGES)],
)
async def test_what_can_be_switched_off_carries_one_line_for_mail_programs_and_a_link(  # noqa: PLR0917
    services: Services, kind: str, answer: str | None, topic: Topic, ear: Any, local: str
) -> None:
    """The way by mail stands there only where somebody reads such mail."""
    database = services.database
    address = {"bounce_address": "rueck@alliance.example.org", "intake_lmtp": None}
    services = replace(services, settings=replace(services.settings, **(address | ear)))
    meeting, person = await a_session(database), await builders.a_person(database)
    await builders.an_invitation(database, meeting, person, answer=answer)
    await a_letter(database, kind, person, meeting)
    (mail,) = await deliver(services)

    token = preferring.unsubscribe_token(services.keys, topic, person["mail_handle"], 1)
    lines = mail.raw.split(b"\r\n")
    link = f"{services.settings.public_url}/u/{token}"
    mailto = f", <mailto:{local}{token}@alliance.example.org>" if local else ""
    assert [f"List-Unsubscribe: <{link}>{mailto}".encode()] == [
        line for line in lines if line.startswith(b"List-Unsubscribe:")
    ]
    assert 1 == lines.count(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click")
    text, html = (part(opened(mail), f"text/{one_kind}") for one_kind in ("plain", "html"))
    assert f" abbestellen:\n{link}\n" in text
    assert f'href="{link}"' in "".join(html.split())


@pytest.mark.parametrize("kind", ["invitation", "change", "cancellation", "receipt"])
async def test_what_always_goes_offers_no_button_to_switch_it_off(
    services: Services, kind: str
) -> None:
    meeting = {"state": _STATES.get(kind, "confirmed")}
    message, _ = await one(services, kind, meeting=meeting, answer=_ANSWERED.get(kind))

    assert None is message["List-Unsubscribe"]
    assert None is message["List-Unsubscribe-Post"]


@pytest.mark.parametrize(("locale", "place"), [("de", "/b/"), ("en", "/en/b/")])
async def test_every_letter_to_people_ends_with_the_way_to_the_switches(
    services: Services, locale: str, place: str
) -> None:
    message, invitation = await one(services, "invitation", person={"locale": locale})
    person = await builders.read(services.database, "person", invitation["person_id"])
    token = preferring.page_token(services.keys, person["mail_handle"], 1)

    link = f"{services.settings.public_url}{place}{token}"
    assert f"\n{link}\n" in part(message, "text/plain")
    assert f'href="{link}"' in part(message, "text/html")


async def test_what_is_switched_off_stops_letters_that_wait_but_no_cancellation(
    services: Services,
) -> None:
    """One press between queueing and sending, with a reminder and a cancellation in the queue."""
    database = services.database
    person = await builders.a_person(database)
    for kind in ("reminder", "reminder", "cancellation"):
        meeting = await a_session(database, state=_STATES.get(kind, "confirmed"))
        await builders.an_invitation(database, meeting, person, answer="online")
        await a_letter(*(database, kind, person, meeting), dedupe_key=f"{kind}:{meeting['id']}")
    token = preferring.unsubscribe_token(services.keys, Topic.REMINDERS, person["mail_handle"], 1)
    await preferring.unsubscribe(database, services.keys, token, NOW)

    mails = await deliver(services)

    assert 1 == len(mails)
    assert [
        ("cancellation", "sent", None),
        ("reminder", "cancelled", "unsubscribed"),
        ("reminder", "cancelled", "unsubscribed"),
    ] == sorted(
        (row["kind"], row["state"], row["reason"]) for row in await builders.letters(database)
    )


async def test_nobody_gets_more_than_five_reminders_a_day(services: Services) -> None:
    database = services.database
    person, other = await builders.a_person(database), await builders.a_person(database)
    for number in range(7):
        meeting = await a_session(database)
        await builders.an_invitation(database, meeting, person, answer="online")
        await a_letter(*(database, "reminder", person, meeting), dedupe_key=f"rem:{number}")
    await builders.an_invitation(database, meeting, other, answer="online")
    await a_letter(database, "reminder", other, meeting)

    await deliver(services)

    rows = await builders.letters(database)
    mine = [row for row in rows if row["recipient_id"] == person["id"]]
    assert [f"rem:{number}" for number in (5, 6)] == [
        row["dedupe_key"] for row in mine if row["reason"] == "too_many"
    ]
    assert 6 == sum(row["state"] == "sent" for row in rows)
