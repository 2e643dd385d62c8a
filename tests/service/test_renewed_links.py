"""Links to the preferences that are renewed: what ends, what waits, and what may have arrived."""

import re
from dataclasses import replace
from typing import Any

import pytest

from service import enrolling, noticing, preferring
from service.auditing import COMMAND, Actor
from service.database import Database
from service.domain.errors import LinkReplacedError, NotFoundError
from service.domain.preferences import Preferences, Topic
from service.enrolling import MemberForm
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.notifications.smtp_servers import Mail
from tests.service import test_composing, test_importing, test_writing_together
from tests.service.test_composing import NOW, a_letter, a_session, ready
from tests.web.mailbox import deliver_raw

__all__ = ["ready"]
services = test_composing.services
_LINK = re.compile(r"/([bu])/([a-z2-7]{52})")
_TOKEN = re.compile(r"(?<=/)[a-z2-7]{52}")
_AGAIN = """
UPDATE outbox SET state = 'queued', uncertain_count = 1, finished_at = NULL, accepted_at = NULL,
    next_attempt_at = now()
"""


async def nudged(database: Database) -> Row:
    """Post a letter that can be switched off, to somebody new."""
    meeting = await a_session(database)
    person = await builders.a_person(database, full_name="Mira Muster")
    invitation = await builders.an_invitation(database, meeting, person)
    cause = {"invitation": str(invitation["id"])}
    await a_letter(database, "nudge", person, meeting, cause=cause, time_rev=meeting["time_rev"])
    return person


def links(raw: bytes) -> set[tuple[str, str]]:
    text = raw.replace(b"=\r\n", b"").replace(b"\r\n ", b"").decode()
    return set(_LINK.findall(text))


def current(services: Services, person: Row, epoch: int) -> set[tuple[str, str]]:
    keys, handle = services.keys, person["mail_handle"]
    return {
        ("b", preferring.page_token(keys, handle, epoch)),
        ("u", preferring.unsubscribe_token(keys, Topic.NUDGES, handle, epoch)),
    }


async def test_what_waits_carries_the_new_links_and_the_old_say_that_they_were_replaced(
    services: Services,
) -> None:
    database = services.database
    person = await nudged(database)

    await preferring.renew_links(database, COMMAND, person["id"])
    (mail,) = await deliver_raw(services)

    assert current(services, person, 2) == links(mail.raw)
    [old] = [token for kind, token in current(services, person, 1) if kind == "b"]
    with pytest.raises(LinkReplacedError):
        await preferring.find(database, services.keys, old)
    row = await database.fetchrow(
        "SELECT action, object_id, details FROM audit WHERE object_kind = 'person'"
    )
    assert row is not None
    assert ("renewed_mail_links", person["id"], {"epoch": 2}) == tuple(row)


async def test_what_may_have_arrived_leaves_again_with_the_same_bytes(services: Services) -> None:
    database = services.database
    person = await nudged(database)
    (first,) = await deliver_raw(services)
    await database.fetch(_AGAIN)
    for _ in range(2):
        await preferring.renew_links(database, COMMAND, person["id"])

    (again,) = await deliver_raw(services)

    assert first.raw == again.raw


async def test_what_was_refused_for_now_is_written_anew_with_the_new_links(
    services: Services,
) -> None:
    database = services.database
    person = await nudged(database)
    await deliver_raw(services)
    await database.fetch(_AGAIN)
    await database.fetch("UPDATE outbox SET letter_sha256 = NULL, uncertain_count = 0")
    await preferring.renew_links(database, COMMAND, person["id"])

    (again,) = await deliver_raw(services)

    assert current(services, person, 2) == links(again.raw)


async def test_a_letter_about_several_sessions_and_its_copy_keep_theirs_too(
    services: Services,
) -> None:
    database = services.database
    scene = await test_writing_together.a_scene(database)
    await database.fetch("UPDATE person SET copy_email = 'sekretariat@example.org'")
    await scene.invite(database, 0, 1, state="planned", invited_at=None)
    for session in scene.sessions[:2]:
        await noticing.invite(database, COMMAND, session["id"], NOW)
    await test_writing_together.sweep(database)
    await database.fetch("UPDATE outbox SET next_attempt_at = now()")
    first = await deliver_raw(services)
    await database.fetch(_AGAIN)
    for person in (scene.mira, scene.jan):
        await preferring.renew_links(database, COMMAND, person["id"])
    # The links of the answers are kept with the bytes, too.
    await database.fetch("UPDATE invitation SET epoch = epoch + 1")

    again = await deliver_raw(services)

    assert 4 == len(first)
    assert {mail.raw for mail in first} == {mail.raw for mail in again}


async def test_what_was_opened_before_the_renewal_and_pressed_after_it_comes_too_late(
    database: Database,
) -> None:
    person = await builders.a_person(database)
    opened = await preferring.find_of_person(database, person["id"])
    await preferring.renew_links(database, COMMAND, person["id"])
    chosen = Preferences(digest=True)

    with pytest.raises(LinkReplacedError):
        await preferring.save(
            database, COMMAND, person["id"], chosen, NOW, locale="en", epoch=opened.epoch
        )

    found = await preferring.find_of_person(database, person["id"])
    assert (Preferences(), "de") == (found.preferences, found.locale)


async def test_nobodys_links_are_renewed(database: Database) -> None:
    person = await builders.a_person(database)
    await database.fetch("UPDATE person SET anonymised_at = now()")

    with pytest.raises(NotFoundError):
        await preferring.renew_links(database, COMMAND, person["id"])


async def epoch_of(database: Database, person: Row) -> int:
    return (await preferring.find_of_person(database, person["id"])).epoch


@pytest.mark.parametrize(
    ("before", "after", "renewals"),
    [
        ({}, {}, 0),
        ({}, {"phone": "0361 1234"}, 0),
        ({}, {"email": "MIRA@partner.example.org"}, 0),
        ({}, {"email": "mira.muster@partner.example.org"}, 1),
        ({}, {"email": ""}, 1),
        ({"email": ""}, {}, 0),
        ({}, {"copy_email": "sekretariat@example.org"}, 0),
        ({"copy_email": "alt@example.org"}, {"copy_email": "Alt@example.org"}, 0),
        ({"copy_email": "alt@example.org"}, {"copy_email": "neu@example.org"}, 1),
        ({"copy_email": "alt@example.org"}, {"copy_email": ""}, 1),
    ],
)
async def test_whoever_held_a_mailbox_before_does_not_steer_the_letters_to_the_new_one(
    database: Database, before: dict[str, Any], after: dict[str, Any], renewals: int
) -> None:
    actor = Actor("account", (await builders.an_account(database))["id"], "Büro")
    person = await builders.a_person(database)
    form = MemberForm(full_name="Mira Muster", email="mira@partner.example.org")
    form = replace(form, **before)
    await enrolling.save_member(database, actor, person["id"], form, NOW)
    stood = await epoch_of(database, person)

    await enrolling.save_member(database, actor, person["id"], replace(form, **after), NOW)

    assert stood + renewals == await epoch_of(database, person)


async def test_an_import_that_brings_another_address_ends_them_too(database: Database) -> None:
    moved = await builders.a_person(database, full_name="Mira Muster", external_ref="7")
    stayed = await builders.a_person(database, full_name="Jan Beispiel", external_ref="8")
    rows = ("7;;Mira Muster;;neu@example.org;;;", f"8;;Jan Beispiel;;{stayed['email']};;;")
    await test_importing.members(database, *rows)

    assert [2, 1] == [await epoch_of(database, one) for one in (moved, stayed)]


async def without_a_session(services: Services) -> tuple[Row, list[Row]]:
    """Post the letters that are about no one session, to somebody who is asked for two."""
    database = services.database
    person = await builders.a_person(database, full_name="Mira Muster")
    await builders.insert(database, "feed", kind="personal", person_id=person["id"])
    asked = []
    for _ in range(2):
        meeting = await a_session(database)
        asked.append(await builders.an_invitation(database, meeting, person))
    ids = [str(one["id"]) for one in asked]
    cause = {"week": "2027-W01", "day": "2027-01-04", "open": ids, "coming": ids, "changes": []}
    await preferring.save(database, COMMAND, person["id"], Preferences(digest=True), NOW)
    await a_letter(database, "digest", person, None, cause=cause)
    await a_letter(database, "lost_links", person, None)
    return person, asked


async def renew_everything(database: Database, person: Row) -> None:
    """Renew the links for answers, the preferences and the calendar."""
    await preferring.renew_links(database, COMMAND, person["id"])
    await database.fetch("UPDATE invitation SET epoch = epoch + 1")
    await database.fetch("UPDATE feed SET epoch = epoch + 1 WHERE person_id = $1", person["id"])


async def test_a_weekly_letter_and_lost_links_that_may_have_arrived_keep_theirs(
    services: Services,
) -> None:
    database = services.database
    person, asked = await without_a_session(services)
    first = await deliver_raw(services)
    await database.fetch(_AGAIN)
    await renew_everything(database, person)
    # Nor do they change with what else is new since: a name, a calendar that ended, a colleague.
    await database.fetch("UPDATE person SET full_name = 'Mira Neumann'")
    await database.fetch("UPDATE feed SET revoked_at = now()")
    await database.fetch("DELETE FROM invitation WHERE id = $1", asked[0]["id"])
    await builders.a_person(database, full_name="Jan Beispiel", email=person["email"])

    again = await deliver_raw(services)

    assert 2 == len(first)
    assert {mail.raw for mail in first} == {mail.raw for mail in again}


async def test_a_weekly_letter_and_lost_links_that_reached_nobody_carry_the_new_ones(
    services: Services,
) -> None:
    database = services.database
    person, _ = await without_a_session(services)
    first = await deliver_raw(services)
    await database.fetch(_AGAIN)
    await database.fetch("UPDATE outbox SET letter_sha256 = NULL, uncertain_count = 0")
    await renew_everything(database, person)

    again = await deliver_raw(services)

    old, new = (set().union(*map(secrets_of, mails)) for mails in (first, again))
    # Two answers, two pages of choices, the calendar, and what stops the weekly letter.
    assert (6, 6, set()) == (len(old), len(new), old & new)


def secrets_of(mail: Mail) -> set[str]:
    text = mail.raw.replace(b"=\r\n", b"").replace(b"\r\n ", b"").decode()
    return set(_TOKEN.findall(text))
