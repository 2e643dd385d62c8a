"""How people and the office come by their own calendar address, and what it opens."""

import re
from datetime import timedelta
from uuid import UUID

import httpx

from service import publishing, replying, resending, tokens
from service.domain.words import Answer
from service.replying import Reply
from service.services import Services
from service.tokens import Purpose
from tests.invited import a_meeting_to_come, a_person, invite
from tests.web import mailbox
from tests.web.conftest import PUBLIC_URL, SignIn

_PERSONAL = re.compile(r"Ihr persönlicher Kalender \(Abo-Adresse\):\n(\S+)")
_OFFICE = re.compile(r'value="([^"]+/ics/b/[^"]+/buero\.ics)"')


async def letters_to(services: Services, person_id: UUID) -> list[str]:
    """Ask for the own links, and return the text of what arrives."""
    await resending.mail_links_to(services.database, person_id, services.clock())
    return [mailbox.text_of(each) for each in await mailbox.deliver(services)]


async def test_the_letter_with_the_links_opens_a_calendar_that_follows_the_own_answer_at_once(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    database, now = services.database, services.clock()
    meeting = await a_meeting_to_come(database, now, title="Klima")
    mira = await a_person(database, "Mira Muster")
    otto = await a_person(database, "Otto Anders")
    invited = await invite(database, meeting, mira)
    await invite(database, meeting, otto)
    await publishing.ensure_all_feeds(database)
    token = tokens.derive(services.keys, Purpose.ANSWER, invited.handle, 1)
    [letter] = [text for text in await letters_to(services, mira) if "Klima" in text]
    [address] = _PERSONAL.findall(letter)
    path = address.removeprefix(services.settings.public_url)

    shown = [(await anonymous.get(path)).text]
    for answer in (Answer.IN_PERSON, Answer.ONLINE):
        await replying.record_reply(
            database, services.keys, token, Reply(answer=answer), now + timedelta(minutes=1)
        )
        shown.append((await anonymous.get(path)).text)
    titles = [title for text in shown for title in re.findall(r"SUMMARY:(.*)\r\n", text)]

    said = ["keine Antwort", "Zusage vor Ort", "Zusage online"]
    assert [f"Klima ({words})" for words in said] == titles
    assert "Otto" not in shown[-1]


async def test_people_who_share_a_mailbox_each_get_their_own_calendar(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    database = services.database
    for name in ("Mira Muster", "Jan Beispiel"):
        person = await a_person(database, name)
        await database.fetch(
            "UPDATE person SET email = 'amt@example.org', email_normal = 'amt@example.org'"
            " WHERE id = $1",
            person,
        )
    await publishing.ensure_all_feeds(database)
    [letter] = await letters_to(services, person)
    addresses = _PERSONAL.findall(letter)

    assert "zurzeit steht keine Sitzung an, zu der diese Adresse" in letter
    assert "Mira Muster, Ihr persönlicher Kalender" in letter
    assert "Jan Beispiel, Ihr persönlicher Kalender" in letter
    assert 2 == len(set(addresses))


async def test_a_letter_to_somebody_whose_calendar_ended_names_none(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    person = await a_person(services.database, "Mira Muster")
    await publishing.ensure_all_feeds(services.database)
    await services.database.fetch("UPDATE feed SET revoked_at = now() WHERE kind = 'personal'")
    [letter] = await letters_to(services, person)

    assert [] == _PERSONAL.findall(letter)


async def test_everybody_of_the_office_finds_the_own_office_calendar_on_the_start_page(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    found = []
    for role in ("coordinator", "admin"):
        browser = await sign_in(role)
        [address] = _OFFICE.findall((await browser.get("/buero")).text)
        found.append(address)
    feed = await anonymous.get(found[0].removeprefix(PUBLIC_URL))

    assert 2 == len(set(found))
    assert (200, True) == (feed.status_code, feed.text.startswith("BEGIN:VCALENDAR"))


async def test_leads_and_readers_see_no_office_calendar(sign_in: SignIn) -> None:
    for role in ("lead", "reader"):
        browser = await sign_in(role)

        assert [] == _OFFICE.findall((await browser.get("/buero")).text)
