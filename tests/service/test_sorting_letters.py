"""By which headers people and their programs sort our letters, and what does not follow from it."""

from datetime import date, timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from notifications import bounces
from notifications.bounces import Kind
from service import noticing
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.service.test_composing import (
    NOW,
    STARTS,
    a_letter,
    deliver,
    one,
    opened,
    ready,
    services,
)
from tests.service.test_writing_together import cancel

__all__ = ["ready", "services"]
DOMAIN = "alliance.example.org"


async def id_of(services: Services, of: Row) -> str:
    meeting = await builders.a_meeting(services.database, of=of, starts_local=STARTS)
    person = await builders.a_person(services.database)
    await builders.an_invitation(services.database, meeting, person)
    await a_letter(services.database, "invitation", person, meeting)
    [mail] = await deliver(services)
    return str(opened(mail)["List-Id"])


async def test_letters_about_a_groups_sessions_name_the_group(services: Services) -> None:
    climate = await builders.a_group(services.database, slug="ag-klima")
    odd = await builders.a_group(services.database, slug="ä, <x>")

    assert f"<ag-klima.{DOMAIN}>" == await id_of(services, climate)
    assert "None" == await id_of(services, odd)


@pytest.mark.parametrize(
    ("kind", "more", "is_there"),
    [
        ("change", {}, True),
        ("reminder", {"answer": "online"}, True),
        ("uninvited", {"state": "uninvited"}, True),
        ("copy", {}, False),
    ],
)
async def test_letters_to_invited_people_name_their_group(
    services: Services, kind: str, more: dict[str, Any], *, is_there: bool
) -> None:
    if kind == "copy":
        more = {"person": {"copy_email": "amt@example.org"}}
        message = await a_copy(services)
    else:
        message, _ = await one(services, kind, **more)

    assert is_there is (message["List-Id"] is not None)


async def a_copy(services: Services) -> EmailMessage:
    """Send the copy of an invitation to a secretariat."""
    database = services.database
    meeting = await builders.a_meeting(database, starts_local=STARTS)
    person = await builders.a_person(database, copy_email="amt@example.org")
    invitation = await builders.an_invitation(database, meeting, person)
    cause = {"copies": "invitation", "invitation": str(invitation["id"])}
    await a_letter(database, "copy", person, meeting, cause=cause)
    [mail] = await deliver(services)
    return opened(mail)


@pytest.mark.parametrize("is_same", [True, False])
async def test_a_letter_about_several_sessions_names_a_group_that_all_of_them_have(
    services: Services, *, is_same: bool
) -> None:
    database = services.database
    first = await builders.a_group(database, slug="erste")
    groups = [first, first if is_same else await builders.a_group(database)]
    person = await builders.a_person(database)
    meetings = []
    for n, group in enumerate(groups):
        starts = STARTS + timedelta(days=n)
        meetings.append(await builders.a_meeting(database, of=group, number=n, starts_local=starts))
        told = {"told_rev": 1, "invited_at": NOW - timedelta(days=1)}
        await builders.an_invitation(database, meetings[n], person, **told)
    await cancel(database, *meetings)
    await noticing.queue_due(database, NOW + timedelta(minutes=11))
    await database.fetch("UPDATE outbox SET next_attempt_at = now()")
    [mail] = await deliver(services)

    assert (f"<erste.{DOMAIN}>" if is_same else None) == opened(mail)["List-Id"]


async def test_our_letter_that_came_back_or_was_answered_is_no_mail_of_a_list(
    services: Services,
) -> None:
    letter, _ = await one(services, "invitation")
    own = letter.as_bytes()
    read = [
        bounces.read(raw, DOMAIN, date(2027, 1, 4)) for raw in (own, a_report(own), an_answer(own))
    ]

    assert letter["List-Id"] is not None
    assert [Kind.OWN, Kind.BOUNCE, Kind.WORDS] == [report.kind for report in read]
    assert [letter["X-Terminbuch-Mail"]] * 3 == [str(report.letters[0]) for report in read]


STATUS = b"""Content-Type: message/delivery-status

Reporting-MTA: dns; mx.town.example

Final-Recipient: rfc822; erika@town.example
Action: failed
Status: 5.1.1
"""


def a_report(letter: bytes) -> bytes:
    """Return a report as servers write it, with the whole letter."""
    kind = b"multipart/report; report-type=delivery-status"
    text = b"Content-Type: text/plain\n\nNo such user."
    whole = b"Content-Type: message/rfc822\n\n" + letter
    return _multipart(b"From: MAILER-DAEMON@town.example", kind, text, STATUS, whole)


def an_answer(letter: bytes) -> bytes:
    """Return what somebody wrote, with the letter attached and its head below."""
    head, _, _ = letter.partition(b"\n\n")
    quoted = b"\n".join(b"> " + line for line in head.splitlines())
    text = b"Content-Type: text/plain\n\nIch komme gern.\n\n" + quoted
    whole = b"Content-Type: message/rfc822\n\n" + letter
    return _multipart(
        b"From: erika@town.example\nSubject: AW: Einladung", b"multipart/mixed", text, whole
    )


def _multipart(head: bytes, kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(b"--frontier\n" + one_part + b"\n" for one_part in parts)
    return head + b"\nContent-Type: " + kind + b"; boundary=frontier\n\n" + body + b"--frontier--\n"
