"""The scheduling form asks whom to invite: the group, chosen members, guests by address."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from service.database import Database
from service.demo.visitor import Page, read_page
from tests import builders
from tests.builders import Row
from tests.web.conftest import PUBLIC_URL, Browser, Clock, SignIn
from tests.web.test_office import a_session, filled_in, opened, path_of, pressed

_NEW = "/buero/termin/neu"
_PREVIEW = "Weiter zur Vorschau"
_CHOSEN = {"audience": "chosen"}


async def send(
    browser: Browser, page: Page, button: str, entries: Mapping[str, Any], expects: int = 200
) -> Page:
    """Press a button with lists of ticks, as a browser sends them."""
    form, (name, value) = page.form(button)
    body: dict[str, Any] = {}
    for field, text in form.fields:
        body.setdefault(field, []).append(text)
    body |= {**entries, name: value}
    headers = {"sec-fetch-site": "same-origin", "origin": PUBLIC_URL}
    answer = await browser.client.post(
        form.action, data=body, headers=headers, follow_redirects=True
    )
    assert expects == answer.status_code, answer.text
    return read_page(str(answer.url), answer)


async def members(database: Database, group: Row, *names: str) -> list[str]:
    partner = await builders.an_organisation(database, name="Stadt Gotha")
    people = [
        await builders.a_person(database, of=partner, member_of=group, full_name=name)
        for name in names
    ]
    return [str(person["id"]) for person in people]


def ticked(page: Page, name: str) -> list[str]:
    form, _ = page.form(_PREVIEW)
    return [value for field, value in form.fields if field == name]


async def invited(database: Database) -> list[str]:
    rows = await database.fetch(
        "SELECT full_name FROM invitation JOIN person ON person.id = person_id ORDER BY full_name"
    )
    return [row["full_name"] for row in rows]


async def test_a_coordinator_invites_two_members_and_a_guest(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    ids = await members(database, group, "Anna", "Bert", "Cora")
    browser = await sign_in("coordinator")
    page = await opened(browser, _NEW)
    guest = {"extra_emails": "Gast Neu <gast@example.org>"}
    entries = {**filled_in(clock), **_CHOSEN, **guest, "member_ids": ids[:2]}
    page = await send(browser, page, _PREVIEW, entries)
    people_before = await database.fetchval("SELECT count(*) FROM person")
    await pressed(browser, page, "Jetzt einladen (3 Personen)")

    assert people_before == 3
    assert ["Anna", "Bert", "Gast Neu"] == await invited(database)


async def test_a_search_keeps_what_is_typed_and_ticked(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    anna, bert, cora = await members(database, group, "Anna", "Bert", "Cora")
    browser = await sign_in("coordinator")
    page = await opened(browser, _NEW)
    typed = filled_in(clock, room="Saal 3", extra_emails="gast@example.org")
    entries = {**typed, **_CHOSEN, "member_ids": [anna, bert], "suche": "cora"}
    found = await send(browser, page, "Suchen", entries)
    form, _ = found.form(_PREVIEW)
    fields = dict(form.fields)
    page = await send(browser, found, "Suchen", {"suche": ""})

    assert [cora] == form.choices["member_ids"]
    assert (fields["room"], fields["extra_emails"]) == ("Saal 3", "gast@example.org")
    assert "2 weitere Mitglieder sind ausgewählt" in found.text
    assert sorted([anna, bert]) == sorted(ticked(page, "member_ids"))


async def test_errors_stand_at_the_list_and_name_the_line(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    await members(database, group, "Anna")
    browser = await sign_in("coordinator")
    page = await opened(browser, _NEW)
    nobody = await send(browser, page, _PREVIEW, {**filled_in(clock), **_CHOSEN}, 422)
    lines = {"extra_emails": "gast@example.org\nkeine Adresse"}
    wrong = await send(browser, page, _PREVIEW, {**filled_in(clock), **lines}, 422)

    assert "Wählen Sie mindestens eine Person aus" in nobody.text
    assert "Zeile 2: Geben Sie die E-Mail-Adresse" in wrong.text
    assert lines["extra_emails"] in dict(wrong.form(_PREVIEW)[0].fields).values()


async def test_who_is_ticked_later_is_invited_and_the_preview_says_so(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    anna, bert = await members(database, group, "Anna", "Bert")
    meeting = await a_session(database, clock, of=group, audience="chosen", invited_at=clock.at)
    await builders.insert(
        database, "meeting_audience", meeting_id=meeting["id"], person_id=UUID(anna)
    )
    await builders.an_invitation(database, meeting, {"id": UUID(anna)})
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bearbeiten"))
    before = ticked(page, "member_ids")
    page = await send(browser, page, _PREVIEW, {"member_ids": [anna, bert]})
    await pressed(browser, page, "Jetzt einladen (1 Person)")
    people = await database.fetchval("SELECT person_ids FROM notice WHERE state = 'pending'")

    assert [anna] == before
    assert [UUID(bert)] == people


async def test_moving_a_session_keeps_whom_it_asks(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    anna, _ = await members(database, group, "Anna", "Bert")
    meeting = await a_session(database, clock, of=group, audience="chosen", seats_per_partner=2)
    await builders.insert(
        database, "meeting_audience", meeting_id=meeting["id"], person_id=UUID(anna)
    )
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/verschieben"))
    page = await pressed(browser, page, _PREVIEW, {"start_time": "09:00"})
    await pressed(browser, page, "Änderung speichern")
    row = await builders.read(database, "meeting", meeting["id"])

    assert (row["audience"], row["seats_per_partner"]) == ("chosen", 2)
    assert await database.fetchval("SELECT count(*) FROM meeting_audience") == 1


async def test_a_lead_chooses_members_and_leaves_guests_to_the_office(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    anna, bert = await members(database, group, "Anna", "Bert")
    stranger = await builders.a_person(database, full_name="Fremd")
    meeting = await a_session(
        database, clock, of=group, state="draft", extra_emails="gast@example.org"
    )
    browser = await sign_in("lead", groups=(group["id"],))
    page = await opened(browser, path_of(meeting, "/bearbeiten"))
    entries = {**_CHOSEN, "member_ids": [anna, bert], "guest_ids": [str(stranger["id"])]}
    await send(browser, page, "Entwurf speichern", {**entries, "extra_emails": "x@example.org"})
    people = await database.fetch("SELECT person_id::text FROM meeting_audience")

    assert "gast@example.org" not in page.text
    assert sorted([anna, bert]) == sorted(row["person_id"] for row in people)
    assert await database.fetchval("SELECT extra_emails FROM meeting") == "gast@example.org"


async def test_a_lead_asks_nobody_from_outside_of_the_own_group(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    [anna] = await members(database, group, "Anna")
    stranger = await builders.a_person(database, full_name="Fremde Person")
    browser = await sign_in("lead", groups=(group["id"],))
    page = await opened(browser, _NEW)
    entries = {**filled_in(clock), **_CHOSEN, "member_ids": [anna, str(stranger["id"])]}
    entries["extra_emails"] = "Gast Neu <gast@example.org>"
    shown = await send(browser, page, "Suchen", {**entries, "suche": ""})
    await send(browser, page, _PREVIEW, entries)
    asked = await database.fetch("SELECT person_id::text AS id FROM meeting_audience")

    assert "Fremde Person" not in shown.text
    assert [anna] == [row["id"] for row in asked]
    assert await database.fetchval("SELECT extra_emails FROM meeting") == ""


async def test_a_lead_publishes_for_the_own_group_alone(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    [anna] = await members(database, group, "Anna")
    stranger = await builders.a_person(database, full_name="Fremde Person")
    meeting = await a_session(database, clock, of=group, audience="chosen", invited_at=clock.at)
    browser = await sign_in("lead", groups=(group["id"],))
    page = await opened(browser, path_of(meeting, "/bearbeiten"))
    page = await send(browser, page, _PREVIEW, {"member_ids": [anna, str(stranger["id"])]})
    await send(browser, page, "Jetzt einladen (1 Person)", {})

    assert ["Anna"] == await invited(database)
