"""Letters look as their readers want them: text alone, and without an entry for the calendar."""

import pytest

from service import preferring
from service.auditing import COMMAND
from service.domain.preferences import Preferences
from service.services import Services
from tests import builders
from tests.builders import NOW
from tests.service import test_composing
from tests.service.test_composing import a_letter, a_session, deliver, link_of, opened, part

ready, services = test_composing.ready, test_composing.services


async def shape_of(services: Services, kind: str, wished: Preferences) -> tuple[list[str], str]:
    """Return the parts of a letter to somebody with these wishes, and its text."""
    database = services.database
    meeting = await a_session(database)
    person = await builders.a_person(database, full_name="Mira Muster")
    answer = "online" if kind in {"reminder", "receipt"} else None
    invitation = await builders.an_invitation(database, meeting, person, answer=answer)
    await preferring.save(database, COMMAND, person["id"], wished, NOW)
    cause = {"invitation": str(invitation["id"])}
    await a_letter(*(database, kind, person, meeting), cause=cause)
    (mail,) = await deliver(services)
    message = opened(mail)
    assert link_of(services, invitation) in part(message, "text/plain")
    return [each.get_content_type() for each in message.walk()], part(message, "text/plain")


@pytest.mark.parametrize(
    ("kind", "wished", "tree"),
    [
        (
            "invitation",
            Preferences(text_only=True),
            ["multipart/mixed", "text/plain", "text/calendar"],
        ),
        (
            "invitation",
            Preferences(no_calendar=True),
            ["multipart/alternative", "text/plain", "text/html"],
        ),
        ("invitation", Preferences(text_only=True, no_calendar=True), ["text/plain"]),
        ("receipt", Preferences(text_only=True, no_calendar=True), ["text/plain"]),
        ("reminder", Preferences(text_only=True), ["text/plain"]),
        ("reminder", Preferences(), ["multipart/alternative", "text/plain", "text/html"]),
    ],
)
async def test_a_letter_has_the_parts_that_its_reader_wants(
    services: Services, kind: str, wished: Preferences, tree: list[str]
) -> None:
    found, _ = await shape_of(services, kind, wished)

    assert tree == found


async def test_a_letter_without_a_calendar_part_speaks_of_none(services: Services) -> None:
    _, text = await shape_of(services, "invitation", Preferences(no_calendar=True))

    assert "termin.ics" not in text
    assert "Kalenderdatei" not in text


async def test_both_looks_of_one_letter_go_to_people_of_one_session(services: Services) -> None:
    """The wording is shared by those alone who want the same."""
    database, meeting = services.database, await a_session(services.database)
    for text_only in (True, False, True):
        person = await builders.a_person(database)
        invitation = await builders.an_invitation(database, meeting, person)
        await preferring.save(
            database, COMMAND, person["id"], Preferences(text_only=text_only), NOW
        )
        cause = {"invitation": str(invitation["id"])}
        await a_letter(*(database, "invitation", person, meeting), cause=cause)
    mails = await deliver(services)

    assert [False, True, True] == sorted(not part(opened(mail), "text/html") for mail in mails)
