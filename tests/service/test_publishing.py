"""Which feeds follow a change, how entries are described, and what the list leaves out."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from calendars.entry import Organiser, Status
from service import describing, feed_paths, publishing, subscribing
from service.auditing import COMMAND
from service.database import Database
from service.describing import Voice
from service.domain.errors import NotFoundError
from service.domain.feed_profiles import Profile
from service.domain.shown import GroupName, ShownMeeting
from service.feed_paths import Address
from service.feeding import Kitchen
from service.publishing import Filter
from service.settings import Settings
from tests import shown

NOW = datetime(2027, 1, 20, 9, 0, tzinfo=UTC)
VOICE = Voice("de", "https://termine.example.org", Organiser("Büro", "buero@example.org"))


def a_shown_meeting(**values: Any) -> ShownMeeting:
    starts = datetime(2027, 3, 11, 10)  # noqa: DTZ001 - a wall time
    defaults: dict[str, Any] = {
        "id": uuid4(),
        "uid": UUID(int=7),
        "slug": "klima-17",
        "state": "confirmed",
        "date_precision": "time",
        "title": "Klima",
        "starts_local": starts,
        "ends_local": starts + timedelta(hours=2),
        "time_zone": "Europe/Berlin",
        "starts_at": starts.replace(tzinfo=shown.BERLIN),
        "ends_at": None,
        "mode": "on_site",
        **dict.fromkeys(
            ("place_name", "room", "street", "town", "place_access", "online_url", "dial_in"), ""
        ),
        "answer_by_local": None,
        "visibility": "public",
        **dict.fromkeys(
            ("description", "agenda", "chair", "organiser", "outward_url", "cancel_reason"), ""
        ),
        "previous_starts_local": None,
        "previous_ends_local": None,
        "revision": 1,
        "sequence": 0,
        "changed_at": NOW,
        "created_at": NOW,
        "sheet_saved_at": None,
        "groups": (GroupName("klima", "Klima", "groups"),),
    }
    return ShownMeeting(**{**defaults, **values})


# Entries


def test_an_entry_never_looks_older_than_its_wording() -> None:
    old = datetime(2020, 1, 1, tzinfo=UTC)

    entry = describing.public_entry(a_shown_meeting(changed_at=old), VOICE)

    assert entry is not None
    assert entry.changed_at == describing.RENDER_EPOCH


def test_the_second_run_of_a_repeated_hour_is_kept() -> None:
    starts = datetime(2026, 10, 25, 2, 30)  # noqa: DTZ001 - a wall time
    meeting = a_shown_meeting(
        starts_local=starts,
        starts_at=datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        ends_local=datetime(2026, 10, 25, 4),  # noqa: DTZ001 - a wall time
    )

    entry = describing.public_entry(meeting, VOICE)

    assert entry is not None
    assert isinstance(entry.starts, datetime)
    assert entry.starts.astimezone(UTC) == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_an_online_meeting_names_no_link_in_public() -> None:
    meeting = a_shown_meeting(mode="online", online_url="https://v.example.org/x", dial_in="123")

    entry = describing.public_entry(meeting, VOICE)

    assert entry is not None
    assert entry.location == "online"
    assert entry.conference_url == ""
    assert "123" not in entry.description


@pytest.mark.parametrize(
    ("title", "state", "names", "locale", "summary"),
    [
        ("", "confirmed", ["Klima"], "de", "Klima"),
        (" \x00", "confirmed", ["Klima", "Leerstand"], "de", "Klima, Leerstand"),
        ("", "tentative", [], "de", "Voraussichtlich: Termin"),
        ("", "cancelled", [" "], "en", "CANCELLED: Date"),
    ],
)
def test_a_meeting_without_a_title_is_named_by_its_groups(
    title: str, state: str, names: list[str], locale: str, summary: str
) -> None:
    groups = tuple(GroupName("x", name, "groups") for name in names)
    meeting = a_shown_meeting(title=title, state=state, groups=groups)

    entry = describing.public_entry(meeting, replace(VOICE, locale=locale))

    assert entry is not None
    assert summary == entry.summary


def test_a_cancelled_meeting_says_why_and_takes_nobodys_time() -> None:
    meeting = a_shown_meeting(state="cancelled", cancel_reason="Der Saal ist gesperrt.")

    entry = describing.public_entry(meeting, VOICE)

    assert entry is not None
    assert entry.status is Status.CANCELLED
    assert entry.description.startswith("Diese Sitzung fällt aus. Der Saal ist gesperrt.")
    assert entry.busy is False


def test_a_meeting_without_any_date_is_no_entry() -> None:
    meeting = a_shown_meeting(state="postponed", starts_local=None, ends_local=None)

    assert describing.public_entry(meeting, VOICE) is None


# Who hears of a change


async def _revisions(database: Database) -> dict[str, int]:
    rows = await database.fetch("SELECT kind, revision FROM feed ORDER BY kind, revision")
    return {row["kind"]: row["revision"] for row in rows}


async def _touch(database: Database, meeting_id: UUID) -> None:
    async with database.unit_of_work() as unit:
        await publishing.touch_feeds(unit.connection, meeting_id, NOW)


async def test_a_saved_meeting_moves_the_feeds_that_show_it(database: Database) -> None:
    group_id = await shown.a_group(database)
    meeting_id = await shown.a_meeting(database, group_id)
    person_id = await shown.a_person(database)
    await shown.an_invitation(database, meeting_id, person_id)
    await shown.make_feeds(database)

    await _touch(database, meeting_id)

    assert await _revisions(database) == {"group": 2, "personal": 2, "public": 2}


async def test_a_saved_meeting_leaves_other_groups_and_people_alone(database: Database) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database, "klima"))
    other_id = await shown.a_group(database, "wulis")
    person_id = await shown.a_person(database)
    await shown.make_feeds(database)

    await _touch(database, meeting_id)
    untouched = await database.fetchval(
        "SELECT count(*) FROM feed WHERE revision = 1 AND (group_id = $1 OR person_id = $2)",
        other_id,
        person_id,
    )

    assert untouched == 2


async def test_a_draft_moves_no_feed_but_the_offices(database: Database) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database), state="draft")
    await shown.add(
        database,
        "account",
        email="a@example.org",
        email_normal="a@example.org",
        full_name="Anna",
        role="coordinator",
    )
    await shown.make_feeds(database)

    await _touch(database, meeting_id)

    assert await _revisions(database) == {"group": 1, "office": 2, "public": 1}


async def test_many_changes_at_once_wait_for_each_other(database: Database) -> None:
    group_id = await shown.a_group(database, is_everybody=True)
    meetings = [await shown.a_meeting(database, group_id) for _ in range(4)]
    for _ in range(20):
        await shown.a_person(database)
    await shown.make_feeds(database)

    await asyncio.gather(*(_touch(database, meeting_id) for meeting_id in meetings * 3))

    assert await _revisions(database) == {"group": 13, "personal": 13, "public": 13}


async def test_changes_of_several_meetings_do_not_deadlock(database: Database) -> None:
    group_id = await shown.a_group(database, is_everybody=True)
    one, other = [await shown.a_meeting(database, group_id) for _ in range(2)]
    for _ in range(20):
        await shown.a_person(database)
    await shown.make_feeds(database)

    async def touch_both(first: UUID, second: UUID) -> None:
        async with database.unit_of_work() as unit:
            for meeting_id in (first, second):
                await publishing.touch_feeds(unit.connection, meeting_id, NOW)
                await asyncio.sleep(0.02)

    await asyncio.gather(touch_both(one, other), touch_both(other, one))

    assert await _revisions(database) == {"group": 5, "personal": 5, "public": 5}


async def test_a_feeds_time_never_goes_back(database: Database) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database))
    await shown.make_feeds(database)
    await database.fetch("UPDATE feed SET changed_at = $1", NOW + timedelta(days=1))

    await _touch(database, meeting_id)
    found = await database.fetchval("SELECT min(changed_at) FROM feed")

    assert found == NOW + timedelta(days=1, seconds=1)


async def test_missing_feeds_are_made_once(database: Database) -> None:
    await shown.a_group(database)
    await shown.a_person(database)
    await shown.make_feeds(database)
    before = await database.fetch("SELECT id FROM feed ORDER BY id")

    await shown.make_feeds(database)

    assert len(before) == 3
    assert await database.fetch("SELECT id FROM feed ORDER BY id") == before


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        Address("public"),
        Address("group", "klima"),
        Address("personal", "token"),
        Address("office", "token"),
    ],
)
def test_an_address_is_read_as_it_is_written(address: Address) -> None:
    assert feed_paths.read_path(feed_paths.address_path(address)) == address


@pytest.mark.parametrize(
    "path", ["/ics/", "/ics/g/klima/wulis.ics", "/ics/p/x/buero.ics", "/ics/g//.ics"]
)
def test_other_paths_are_no_addresses(path: str) -> None:
    assert feed_paths.read_path(path) is None


async def test_a_feed_that_ended_is_not_renewed(database: Database, settings: Settings) -> None:
    person_id = await shown.a_person(database)
    await shown.make_feeds(database)
    own = await subscribing.find_personal(database, settings.token_keys, person_id)
    assert own is not None
    await subscribing.revoke(database, COMMAND, own.id, NOW)

    with pytest.raises(NotFoundError):
        await subscribing.renew(database, COMMAND, own.id, NOW)


async def test_wishes_change_the_own_feed(database: Database, settings: Settings) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database), title="Klima")
    person_id = await shown.a_person(database)
    await shown.an_invitation(database, meeting_id, person_id, answer="declined")
    await shown.make_feeds(database)
    own = await subscribing.find_personal(database, settings.token_keys, person_id)
    assert own is not None
    wishes = Profile(shows_declined=True, alarm_minutes=30)

    await subscribing.set_profile(database, COMMAND, own.id, wishes, NOW)
    address = feed_paths.read_path(own.path)
    assert address is not None
    kitchen = Kitchen(database, settings, settings.token_keys, max_bytes=1_000_000)
    copy = await kitchen.make(address, NOW)

    assert copy is not None
    assert b"SUMMARY:Klima (Ihre Absage)" in copy.body
    assert b"TRIGGER:-PT30M" in copy.body


async def test_feed_truncated_with_log_at_the_far_end(
    database: Database, settings: Settings
) -> None:
    group_id = await shown.a_group(database)
    first = datetime(2027, 2, 1, 10)  # noqa: DTZ001 - a wall time
    await database.fetch(
        """
        INSERT INTO meeting (id, slug, state, title, starts_local, ends_local, starts_at, ends_at)
        SELECT gen_random_uuid(), 's' || n, 'confirmed', 'Sitzung ' || n, at,
            at + interval '1 hour',
            at AT TIME ZONE 'Europe/Berlin', (at + interval '1 hour') AT TIME ZONE 'Europe/Berlin'
        FROM generate_series(1, 1005) n,
            LATERAL (SELECT $1::timestamp + n * interval '1 day' AS at) AS day
        """,
        first,
    )
    await database.fetch(
        "INSERT INTO meeting_group (meeting_id, group_id) SELECT id, $1 FROM meeting", group_id
    )
    await shown.make_feeds(database)
    kitchen = Kitchen(database, settings, settings.token_keys, max_bytes=10_000_000)

    with capture_logs() as logged:
        copy = await kitchen.make(Address("public"), NOW)

    # One more than fits is read, which is enough to know that it was cut.
    cuts = [event["left_off"] for event in logged if event["event"] == "feeds.cut"]
    assert [1] == cuts
    assert copy is not None
    assert len(copy.body) < 800_000
    assert copy.body.count(b"BEGIN:VEVENT") == 1000
    assert b"SUMMARY:Sitzung 1\r\n" in copy.body
    assert b"SUMMARY:Sitzung 1001\r\n" not in copy.body


# The list


async def test_a_month_that_has_begun_still_is_coming(database: Database) -> None:
    await shown.a_meeting(
        database,
        await shown.a_group(database),
        datetime(2027, 1, 1),  # noqa: DTZ001 - a wall time
        ends=datetime(2027, 2, 1),  # noqa: DTZ001 - a wall time
        state="tentative",
        date_precision="month",
    )

    listing = await publishing.list_coming(database, Filter(), NOW)

    assert listing.count == 1


async def test_a_session_that_goes_on_now_still_is_coming(database: Database) -> None:
    group_id = await shown.a_group(database)
    await shown.a_meeting(database, group_id, datetime(2027, 1, 20, 9))  # noqa: DTZ001

    at_the_end = datetime(2027, 1, 20, 9, 59, tzinfo=UTC)
    before = await publishing.list_coming(database, Filter(), at_the_end)
    after = await publishing.list_coming(database, Filter(), at_the_end + timedelta(minutes=2))

    assert (before.count, after.count) == (1, 0)


async def test_papers_are_counted_once_they_are_published(database: Database) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database))
    for title, published_at in (("da", NOW), ("später", NOW + timedelta(days=1)), ("nie", None)):
        await shown.add(
            database, "document", meeting_id=meeting_id, title=title, published_at=published_at
        )

    listing = await publishing.list_coming(database, Filter(from_on=date(2027, 1, 1)), NOW)

    assert listing.papers == {meeting_id: 1}
