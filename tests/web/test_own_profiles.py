"""One address per reader, whose content is changed on a page without subscribing again."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from service import subscribing, tailoring
from service.auditing import COMMAND
from service.database import Database
from service.domain.feed_profiles import Extent, Fallen, Profile
from service.feed_cache import Fetch
from service.feeding import note_fetches
from service.services import Services
from service.subscribing import Owner
from service.tables import feed_rows
from tests import shown
from tests.web import mailbox
from tests.web.conftest import Clock, SignIn, open_program, patient_feeds

NOW = datetime(2027, 1, 20, 9, 0, tzinfo=UTC)
_FT = re.compile(r'name="ft" value="([^"]+)"')
REST = "ABGESAGT: Abgesagt|Nur Mitglied"
USUAL = {
    "extent": "all",
    "mailed": "no",
    "fallen": "prefixed",
    "shows_tentative": "1",
    "shows_answer": "1",
}


@pytest.fixture
def _before_all_sessions(clock: Clock) -> None:
    clock.at = NOW


async def _titles(client: httpx.AsyncClient, path: str) -> list[str]:
    text = (await client.get(path)).content.replace(b"\r\n ", b"").decode()
    return re.findall(r"\r\nSUMMARY:(.*)\r\n", text)


async def _subscribed(services: Services, person_id: UUID) -> tuple[str, str]:
    """Return the calendar's path and that of its page."""
    await shown.make_feeds(services.database)
    own = await subscribing.find_personal(services.database, services.keys, person_id)
    page = await tailoring.find_page(services.database, services.keys, person_id)
    assert own is not None
    assert page is not None
    return own.path, page


async def _save(client: httpx.AsyncClient, page: str, choices: Mapping[str, Any]) -> httpx.Response:
    ft = _FT.search((await client.get(page)).text)
    assert ft is not None
    data = {"ft": ft[1], **choices}
    return await client.post(page, data=data, headers={"sec-fetch-site": "same-origin"})


async def _member(database: Database, group_id: UUID, name: str = "Mira Muster") -> UUID:
    person_id = await shown.a_person(database, name)
    await database.fetch(
        "INSERT INTO membership (person_id, group_id, from_on) VALUES ($1, $2, '2026-01-01')",
        person_id,
        group_id,
    )
    return person_id


@pytest.mark.usefixtures("_before_all_sessions")
async def test_a_change_on_the_page_changes_the_calendar_under_the_same_address(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    database = services.database
    klima, wulis = await shown.a_group(database), await shown.a_group(database, "wulis")
    await shown.a_meeting(database, klima, title="Klima")
    await shown.a_meeting(database, wulis, title="Wulis")
    path, page = await _subscribed(services, await _member(database, klima))

    before = await _titles(anonymous, path)
    saved = await _save(anonymous, page, {**USUAL, "groups": [str(wulis)]})
    after = await _titles(anonymous, path)

    assert saved.status_code == 303
    assert before == ["Klima"]
    assert after == ["Wulis"]
    assert "Ihre Auswahl ist gespeichert." in (await anonymous.get(f"{page}?getan=saved")).text


async def test_the_own_groups_left_as_they_are_follow_later_memberships(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    database = services.database
    klima = await shown.a_group(database)
    person_id = await _member(database, klima)
    _, page = await _subscribed(services, person_id)

    await _save(anonymous, page, {**USUAL, "groups": [str(klima)], "extent": "invited"})
    profile = await subscribing.find_profile(database, Owner.person(person_id))

    assert Profile(extent=Extent.INVITED) == profile


@pytest.mark.parametrize("groups", [[], ["00000000-0000-0000-0000-000000000000"]])
async def test_no_group_is_explained_and_nothing_is_stored(
    services: Services, anonymous: httpx.AsyncClient, groups: list[str]
) -> None:
    database = services.database
    person_id = await _member(database, await shown.a_group(database))
    _, page = await _subscribed(services, person_id)

    answer = await _save(anonymous, page, {**USUAL, "groups": groups, "fallen": "plain"})

    assert answer.status_code == 422
    assert Profile() == await subscribing.find_profile(database, Owner.person(person_id))


async def _calendar_with(
    services: Services, client: httpx.AsyncClient, person_id: UUID, profile: Profile
) -> list[str]:
    path, _ = await _subscribed(services, person_id)
    use = await subscribing.find_use(services.database, Owner.person(person_id))
    assert use is not None
    await subscribing.set_profile(services.database, COMMAND, use.id, profile, services.clock())
    return await _titles(client, path)


async def _a_full_programme(database: Database) -> UUID:
    """Add one meeting of each sort that a profile tells apart; return the invited member."""
    group_id = await shown.a_group(database)
    person_id = await _member(database, group_id)
    for day, title, answer, values in (
        (1, "Zugesagt", "in_person", {}),
        (2, "Abgelehnt", "declined", {}),
        (3, "Offen", None, {}),
        (4, "Vorläufig", None, {"state": "tentative"}),
        (5, "Abgesagt", None, {"state": "cancelled", "sequence": 1}),
        (6, "Nur Mitglied", ..., {}),
    ):
        starts = datetime(2027, 3, day, 10, 0)  # noqa: DTZ001 - a wall time
        meeting_id = await shown.a_meeting(database, group_id, starts, title=title, **values)
        if answer is not ...:
            said = {} if answer is None else {"answer": answer, "answered_at": NOW}
            await shown.an_invitation(database, meeting_id, person_id, **said)
    return person_id


@pytest.mark.usefixtures("_before_all_sessions")
@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (
            Profile(),
            "Zugesagt (Zusage vor Ort)|Offen (keine Antwort)|Voraussichtlich: Vorläufig|" + REST,
        ),
        (
            Profile(shows_declined=True, shows_tentative=False, fallen=Fallen.LEFT_OUT),
            "Zugesagt (Zusage vor Ort)|Abgelehnt (Ihre Absage)|Offen (keine Antwort)|Nur Mitglied",
        ),
        (
            Profile(shows_answer=False, fallen=Fallen.PLAIN, extent=Extent.INVITED),
            "Zugesagt|Offen|Voraussichtlich: Vorläufig|Abgesagt",
        ),
        (Profile(extent=Extent.ANSWERED), "Zugesagt (Zusage vor Ort)"),
        (
            Profile(extent=Extent.ANSWERED, locale="en", shows_declined=True),
            "Zugesagt (accepted\\, in person)|Abgelehnt (you declined)",
        ),
    ],
)
async def test_each_choice_decides_what_stands_in_the_calendar(
    services: Services, anonymous: httpx.AsyncClient, profile: Profile, expected: str
) -> None:
    person_id = await _a_full_programme(services.database)

    titles = await _calendar_with(services, anonymous, person_id, profile)

    assert expected.split("|") == titles


@pytest.mark.usefixtures("_before_all_sessions")
@pytest.mark.parametrize(
    ("channel", "expected"), [("request", []), ("publish", ["Klima (keine Antwort)"])]
)
async def test_what_went_out_with_answer_buttons_is_left_out_where_it_would_stand_twice(
    services: Services, anonymous: httpx.AsyncClient, channel: str, expected: list[str]
) -> None:
    database = services.database
    meeting_id = await shown.a_meeting(database, await shown.a_group(database), title="Klima")
    person_id = await shown.a_person(database)
    await shown.an_invitation(database, meeting_id, person_id, channel=channel)

    titles = await _calendar_with(services, anonymous, person_id, Profile(leaves_out_mailed=True))

    assert expected == titles


@pytest.mark.usefixtures("_before_all_sessions")
@pytest.mark.parametrize(
    ("known", "day", "title"),
    [
        # The first of May is a holiday and a Saturday.
        (("month", "2027-05-01", "2027-06-01"), "20270503", "Voraussichtlich im Mai 2027: Bündnis"),
        (
            ("week", "2027-03-29", "2027-04-05"),
            # Easter Monday.
            "20270330",
            "Voraussichtlich in der Woche ab Mo 29.3.2027: Bündnis",
        ),
    ],
)
async def test_a_rough_date_stands_on_its_first_working_day_where_it_is_wanted(
    services: Services,
    anonymous: httpx.AsyncClient,
    known: tuple[str, str, str],
    day: str,
    title: str,
) -> None:
    precision, first, last = known
    database = services.database
    meeting_id = await shown.a_meeting(
        database,
        await shown.a_group(database, is_everybody=True),
        datetime.fromisoformat(first),
        ends=datetime.fromisoformat(last),
        title="Bündnis",
        state="tentative",
        date_precision=precision,
    )
    person_id = await shown.a_person(database)
    without = await _calendar_with(services, anonymous, person_id, Profile())
    await shown.save(database, meeting_id, NOW)

    profile = Profile(shows_rough=True, shows_tentative=False)
    titles = await _calendar_with(services, anonymous, person_id, profile)
    path, _ = await _subscribed(services, person_id)
    text = (await anonymous.get(path)).text

    assert without == []
    assert [title] == titles
    assert f"DTSTART;VALUE=DATE:{day}\r\n" in text
    assert "STATUS:TENTATIVE\r\n" in text


async def test_the_day_of_a_rough_date_is_kept_whatever_later_holidays_say(
    services: Services,
) -> None:
    database = services.database
    meeting_id = await shown.a_meeting(
        database,
        await shown.a_group(database),
        datetime(2027, 5, 1),  # noqa: DTZ001 - a wall time
        ends=datetime(2027, 6, 1),  # noqa: DTZ001 - a wall time
        date_precision="month",
        state="tentative",
    )
    await shown.save(database, meeting_id, NOW)
    await database.fetch("UPDATE meeting SET rough_on = '2027-05-04' WHERE id = $1", meeting_id)

    await shown.save(database, meeting_id, NOW, title="Neu")
    kept = await database.fetchval("SELECT rough_on FROM meeting WHERE id = $1", meeting_id)
    await shown.save(
        database,
        meeting_id,
        NOW,
        starts_local=datetime(2027, 6, 1),  # noqa: DTZ001 - a wall time
        ends_local=datetime(2027, 7, 1),  # noqa: DTZ001 - a wall time
    )
    moved = await database.fetchval("SELECT rough_on FROM meeting WHERE id = $1", meeting_id)
    await shown.save(database, meeting_id, NOW, date_precision="time")
    exact = await database.fetchval("SELECT rough_on FROM meeting WHERE id = $1", meeting_id)

    assert ["2027-05-04", "2027-06-01", "None"] == [str(day) for day in (kept, moved, exact)]


async def test_another_groups_new_session_moves_the_calendars_that_chose_the_group(
    services: Services,
) -> None:
    database = services.database
    wulis = await shown.a_group(database, "wulis")
    person_id = await shown.a_person(database)
    await shown.make_feeds(database)
    use = await subscribing.find_use(database, Owner.person(person_id))
    assert use is not None
    await subscribing.set_profile(database, COMMAND, use.id, Profile(group_ids=(wulis,)), NOW)
    meeting_id = await shown.a_meeting(database, wulis)

    async with database.unit_of_work() as unit:
        touched = await feed_rows.touch_meeting(unit.connection, meeting_id, NOW)

    assert use.id in touched


async def test_the_page_never_shows_the_address_and_mails_it_to_the_registered_one(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    database = services.database
    person_id = await _member(database, await shown.a_group(database))
    path, page = await _subscribed(services, person_id)

    shown_page = await anonymous.get(page)
    answer = await _press(anonymous, page, "zusenden")
    [letter] = await mailbox.deliver(services)
    text = mailbox.text_of(letter)

    assert path not in shown_page.text
    assert answer.headers["location"] == f"{page}?getan=mailed"
    assert f"{services.settings.public_url}{path}" in text
    assert f"{services.settings.public_url}{page}" in text


async def _press(client: httpx.AsyncClient, page: str, act: str) -> httpx.Response:
    ft = _FT.search((await client.get(page)).text)
    assert ft is not None
    headers = {"sec-fetch-site": "same-origin"}
    return await client.post(f"{page}/{act}", data={"ft": ft[1]}, headers=headers)


async def test_a_reader_renews_the_address_and_both_links_are_replaced(
    services: Services, anonymous: httpx.AsyncClient, clock: Clock
) -> None:
    database = services.database
    person_id = await _member(database, await shown.a_group(database))
    old_path, old_page = await _subscribed(services, person_id)

    answer = await _press(anonymous, old_page, "erneuern")
    followed = await anonymous.get(answer.headers["location"])
    [letter] = await mailbox.deliver(services)
    path, page = await _subscribed(services, person_id)

    assert answer.status_code == 303
    assert followed.status_code == 410
    assert "Die Adresse des Kalenders ist erneuert, und mit ihr dieser Link." in followed.text
    assert path != old_path
    assert page in mailbox.text_of(letter)
    assert "Abonnement beendet" in (await anonymous.get(old_path)).text
    clock.go_on(timedelta(days=31))
    assert (await anonymous.get(path)).status_code == 200


async def test_a_reader_ends_the_calendar_and_begins_anew(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    database = services.database
    person_id = await _member(database, await shown.a_group(database))
    path, page = await _subscribed(services, person_id)

    await _press(anonymous, page, "beenden")
    ended = await anonymous.get(page)
    told = (await anonymous.get(path)).text
    await _press(anonymous, page, "anlegen")
    _, new_page = await _subscribed(services, person_id)

    assert "Neue Kalenderadresse anlegen" in ended.text
    assert "Abonnement beendet" in told
    assert (await anonymous.get(new_page)).status_code == 200


async def test_a_link_for_something_else_opens_no_choices(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    person_id = await shown.a_person(services.database)
    path, _ = await _subscribed(services, person_id)
    token = path.split("/")[3]

    answers = [await anonymous.get(f"/meine/kalender/{each}") for each in (token, "unbekannt")]

    assert [404, 404] == [answer.status_code for answer in answers]


async def test_the_office_chooses_for_a_person_who_asked(
    sign_in: SignIn, services: Services
) -> None:
    database = services.database
    group_id = await shown.a_group(database)
    person_id = await _member(database, group_id)
    await shown.make_feeds(database)
    browser = await sign_in("coordinator")
    path = f"/buero/mitglied/{person_id}/kalender"

    shown_page = await browser.get(path)
    data: dict[str, object] = {**USUAL, "groups": str(group_id), "mailed": "yes", "locale": "en"}
    answer = await browser.post(path, {**data, "alarm": "60"})
    profile = await subscribing.find_profile(database, Owner.person(person_id))

    assert "Kalender von Mira Muster" in shown_page.text
    assert answer.status_code == 303
    assert Profile(alarm_minutes=60, leaves_out_mailed=True, locale="en") == profile


@pytest.mark.usefixtures("_before_all_sessions")
async def test_the_office_calendar_leaves_out_what_is_not_wanted(
    sign_in: SignIn, services: Services
) -> None:
    database = services.database
    group_id = await shown.a_group(database)
    deadline = datetime(2027, 3, 1, 12, 0)  # noqa: DTZ001 - a wall time
    await shown.a_meeting(database, group_id, title="Klima", answer_by_local=deadline)
    await shown.a_meeting(database, group_id, title="Später", state="draft", slug=None)
    browser = await sign_in("coordinator")
    await shown.make_feeds(database)
    own = await subscribing.find_office(database, services.keys, browser.account_id)
    assert own is not None

    before = await _titles(browser.client, own.path)
    data: dict[str, object] = {"groups": str(group_id), "fallen": "prefixed"}
    answer = await browser.post("/buero/kalender", data)
    after = await _titles(browser.client, own.path)

    assert answer.headers["location"] == "/buero/kalender?getan=saved"
    assert sorted(before) == ["Antwortfrist: Klima", "Entwurf: Später", "Klima"]
    assert after == ["Klima"]


@pytest.mark.usefixtures("_before_all_sessions")
async def test_it_is_counted_whose_calendar_shows_a_session_as_it_stands(
    services: Services, sign_in: SignIn
) -> None:
    database = services.database
    meeting_id = await shown.a_meeting(database, await shown.a_group(database))
    people = [await shown.a_person(database, f"Person {number}") for number in range(3)]
    for person_id in people:
        await shown.an_invitation(database, meeting_id, person_id)
    await shown.make_feeds(database)
    rows = await database.fetch("SELECT id, person_id FROM feed WHERE kind = 'personal'")
    feeds = {row["person_id"]: row["id"] for row in rows}
    old = Fetch("Thunderbird", datetime(2026, 12, 1, 8, 0, tzinfo=UTC))
    await note_fetches(database, {feeds[people[0]]: old, feeds[people[1]]: old}, NOW)
    await shown.save(database, meeting_id, NOW, title="Verschoben")
    state = await database.fetchval("SELECT changed_at FROM feed WHERE id = $1", feeds[people[1]])

    await note_fetches(database, {feeds[people[1]]: replace(old, state_at=state)}, NOW)
    counted = await tailoring.count_shown(database, meeting_id, NOW)
    later = await tailoring.count_shown(database, meeting_id, NOW + timedelta(days=40))
    page = await (await sign_in("coordinator")).get(f"/buero/termin/{meeting_id}")

    assert tailoring.Spread(1, 2) == counted
    assert tailoring.Spread(0, 0) == later
    assert "1 von 2 Kalendern zeigen schon den jetzigen Stand." in page.text


async def test_a_look_at_the_headers_is_no_fetch(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    path, _ = await _subscribed(services, await shown.a_person(services.database))
    application = patient_feeds(services)
    async with open_program(application) as program:
        await program.head(path)
        looked = application.cache.entries[path].fetched_by
        await program.get(path, headers={"user-agent": "Thunderbird/140"})
        fetched = application.cache.entries[path].fetched_by

    assert [None, "Thunderbird"] == [looked, fetched]
