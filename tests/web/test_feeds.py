"""Feeds as calendar programs fetch them: what they hold, and how they answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
import pytest_asyncio

from calendars import feed
from service import furnishing, publishing, subscribing
from service.auditing import COMMAND
from service.database import Database
from service.services import Services
from service.web.feeds import FeedApplication, client_family
from tests import database as test_database
from tests import shown
from tests.calendars import lint
from tests.web.conftest import Clock, open_program, patient_feeds

PUBLIC = "/ics/alle/termine.ics"
ASKED = "CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT"
NOW = datetime(2027, 1, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest_asyncio.fixture(loop_scope="session")
async def application(services: Services, ready: None) -> FeedApplication:
    await shown.make_feeds(services.database)
    return patient_feeds(services)


@pytest_asyncio.fixture(loop_scope="session")
async def program(application: FeedApplication) -> AsyncIterator[httpx.AsyncClient]:
    """Give a calendar program its connection."""
    async with open_program(application) as client:
        yield client


async def personal_path(services: Services, person_id: UUID) -> str:
    await shown.make_feeds(services.database)
    found = await subscribing.find_personal(services.database, services.keys, person_id)
    assert found is not None
    return found.path


async def office_path(services: Services) -> str:
    account_id = await shown.add(
        services.database,
        "account",
        email="a@example.org",
        email_normal="a@example.org",
        full_name="Anna",
        role="coordinator",
    )
    await shown.make_feeds(services.database)
    found = await subscribing.find_office(services.database, services.keys, account_id)
    assert found is not None
    return found.path


def unfolded(response: httpx.Response) -> str:
    return response.content.replace(b"\r\n ", b"").decode()


def lines(response: httpx.Response, name: str) -> list[str]:
    """Return the content lines of a name inside events."""
    _, _, events = unfolded(response).partition("BEGIN:VEVENT")
    return [line for line in events.split("\r\n") if line.startswith(name)]


# What feeds hold


async def test_a_feed_without_entries_still_is_a_calendar(program: httpx.AsyncClient) -> None:
    answer = await program.get(PUBLIC)

    assert answer.status_code == 200
    assert lint.find_defects(answer.content) == []
    assert answer.content.count(b"BEGIN:VTIMEZONE") == 1
    assert b"VEVENT" not in answer.content


async def test_feed_bytes_stable_across_renders_and_replicas(
    database: Database, services: Services, program: httpx.AsyncClient, clock: Clock
) -> None:
    await shown.a_meeting(database, await shown.a_group(database))
    first = await program.get(PUBLIC)
    clock.go_on(timedelta(days=8))

    async with open_program(patient_feeds(services)) as other:
        second = await other.get(PUBLIC)

    assert second.content == first.content
    assert second.headers["etag"] == first.headers["etag"]
    assert second.headers["last-modified"] == first.headers["last-modified"]


async def test_public_feed_has_no_method_attendee_token_videolink(
    database: Database, program: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    meeting_id = await shown.a_meeting(
        database, group_id, mode="hybrid", online_url="https://video.example.org/secret"
    )
    person_id = await shown.a_person(database)
    await shown.an_invitation(database, meeting_id, person_id, answer="in_person")

    answer = await program.get(PUBLIC)

    assert lint.find_defects(answer.content, public=True) == []
    for secret in (b"METHOD", b"ATTENDEE", b"video.example.org", b"Erika", b"/a/", b"VALARM"):
        assert secret not in answer.content
    assert b"TRANSP:TRANSPARENT" in answer.content
    assert lines(answer, "ORGANIZER") == [
        'ORGANIZER;CN="Geschäftsstelle":mailto:termine@alliance.example.org'
    ]


@pytest.mark.parametrize("visibility", ["link", "internal"])
async def test_what_is_not_public_is_in_no_public_feed(
    database: Database, program: httpx.AsyncClient, visibility: str
) -> None:
    await shown.a_meeting(database, await shown.a_group(database), visibility=visibility)
    await shown.make_feeds(database)

    public = await program.get(PUBLIC)
    group = await program.get("/ics/g/klima/klima.ics")

    assert b"VEVENT" not in public.content
    assert b"VEVENT" not in group.content


async def test_a_group_feed_holds_the_meetings_of_that_group_only(
    database: Database, program: httpx.AsyncClient
) -> None:
    await shown.a_meeting(database, await shown.a_group(database, "klima"), title="Klima")
    await shown.a_meeting(database, await shown.a_group(database, "wulis"), title="Wohnen")
    await shown.make_feeds(database)

    answer = await program.get("/ics/g/klima/klima.ics")

    assert lines(answer, "SUMMARY") == ["SUMMARY:Klima"]
    assert "SOURCE;VALUE=URI:http://localhost:8000/ics/g/klima/klima.ics" in unfolded(answer)


async def test_a_tentative_day_is_an_all_day_entry_that_says_so(
    database: Database, program: httpx.AsyncClient
) -> None:
    await shown.a_meeting(
        database,
        await shown.a_group(database),
        datetime(2027, 3, 11),  # noqa: DTZ001
        ends=datetime(2027, 3, 14),  # noqa: DTZ001
        state="tentative",
        date_precision="day",
        title="6. Bündnistreffen",
    )

    answer = await program.get(PUBLIC)

    assert lint.find_defects(answer.content) == []
    assert lines(answer, "SUMMARY") == ["SUMMARY:Voraussichtlich: 6. Bündnistreffen"]
    assert lines(answer, "DTSTART") == ["DTSTART;VALUE=DATE:20270311"]
    assert lines(answer, "DTEND") == ["DTEND;VALUE=DATE:20270314"]
    assert lines(answer, "STATUS") == ["STATUS:TENTATIVE"]
    assert lines(answer, "X-MICROSOFT-CDO-BUSYSTATUS") == ["X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE"]


@pytest.mark.parametrize("precision", ["week", "month"])
async def test_rough_dates_are_in_no_calendar(
    database: Database, program: httpx.AsyncClient, precision: str
) -> None:
    await shown.a_meeting(
        database, await shown.a_group(database), state="tentative", date_precision=precision
    )

    answer = await program.get(PUBLIC)

    assert b"VEVENT" not in answer.content


async def test_cancelled_event_kept_14_days_and_gone_with_the_next_month_edge(
    database: Database, program: httpx.AsyncClient, application: FeedApplication, clock: Clock
) -> None:
    # What changed later than the month began would say so in the header.
    await shown.a_meeting(
        database,
        await shown.a_group(database),
        datetime(2049, 1, 15, 10),  # noqa: DTZ001
        state="cancelled",
        title="Klima",
        cancel_reason="Der Saal ist gesperrt.",
        sequence=1,
    )

    clock.at = datetime(2049, 1, 20, 9, 0, tzinfo=UTC)
    before = await program.get(PUBLIC)
    clock.at = datetime(2049, 1, 31, 22, 59, tzinfo=UTC)
    await application.cache.check()
    last_day = await program.get(PUBLIC)
    clock.at = datetime(2049, 1, 31, 23, 1, tzinfo=UTC)
    await application.cache.check()
    next_month = await program.get(PUBLIC)

    assert lines(before, "SUMMARY") == ["SUMMARY:ABGESAGT: Klima"]
    assert lines(before, "STATUS") == ["STATUS:CANCELLED"]
    assert lines(before, "SEQUENCE") == ["SEQUENCE:1"]
    assert "Der Saal ist gesperrt." in unfolded(before)
    assert last_day.content == before.content
    assert b"VEVENT" not in next_month.content
    assert next_month.headers["last-modified"] == "Sun, 31 Jan 2049 23:00:00 GMT"


async def test_a_postponed_meeting_is_cancelled_where_it_stood(
    database: Database, program: httpx.AsyncClient
) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database), title="Klima")
    starts = datetime(2027, 3, 11, 10)  # noqa: DTZ001
    await shown.save(
        database,
        meeting_id,
        NOW,
        state="postponed",
        starts_local=None,
        ends_local=None,
        starts_at=None,
        ends_at=None,
        previous_starts_local=starts,
        previous_ends_local=starts + timedelta(hours=2),
    )

    answer = await program.get(PUBLIC)

    assert lint.find_defects(answer.content) == []
    assert lines(answer, "SUMMARY") == ["SUMMARY:VERSCHOBEN: Klima"]
    assert lines(answer, "STATUS") == ["STATUS:CANCELLED"]
    assert lines(answer, "DTSTART") == ["DTSTART;TZID=Europe/Berlin:20270311T100000"]


async def test_window_month_snap(
    database: Database, program: httpx.AsyncClient, application: FeedApplication, clock: Clock
) -> None:
    group_id = await shown.a_group(database)
    for day, title in ((datetime(2026, 6, 30, 10), "alt"), (datetime(2026, 7, 1, 10), "neu")):  # noqa: DTZ001
        await shown.a_meeting(database, group_id, day, title=title)
    clock.at = datetime(2027, 1, 1, 9, tzinfo=UTC)

    first = await program.get(PUBLIC)
    clock.at = datetime(2027, 1, 28, 9, tzinfo=UTC)
    await application.cache.check()
    later = await program.get(PUBLIC)

    assert lines(first, "SUMMARY") == ["SUMMARY:neu"]
    assert later.content == first.content


async def test_events_of_others_have_no_organizer_of_ours(
    database: Database, program: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database, "sonstige", heading="other")
    await shown.a_meeting(database, group_id, organiser="Stadt Gotha")

    answer = await program.get(PUBLIC)

    assert lines(answer, "ORGANIZER") == []
    assert "Veranstaltet von: Stadt Gotha" in unfolded(answer)


async def test_personal_feed_one_attendee_rsvp_false(
    services: Services, program: httpx.AsyncClient
) -> None:
    database = services.database
    meeting_id = await shown.a_meeting(
        database,
        await shown.a_group(database),
        title="Klima",
        mode="hybrid",
        online_url="https://video.example.org/secret",
    )
    erika = await shown.a_person(database, "Erika Muster", email="erika@example.org")
    await shown.an_invitation(database, meeting_id, erika, answer="in_person")
    other = await shown.a_person(database, "Otto Anders")
    await shown.an_invitation(database, meeting_id, other, answer="online")

    answer = await program.get(await personal_path(services, erika))

    assert lint.find_defects(answer.content) == []
    assert lines(answer, "SUMMARY") == ["SUMMARY:Klima (Zusage vor Ort)"]
    assert lines(answer, "ATTENDEE") == [
        f'ATTENDEE;CN="Erika Muster";{ASKED};PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:erika@example.org'
    ]
    assert "https://video.example.org/secret" in unfolded(answer)
    assert "TRANSP:OPAQUE" in unfolded(answer)
    assert "Otto" not in unfolded(answer)
    assert "SOURCE" not in unfolded(answer)


@pytest.mark.parametrize(
    ("answer", "suffix"),
    [
        (None, " (keine Antwort)"),
        ("online", " (Zusage online)"),
        ("undecided", " (unentschieden)"),
        ("represented", " (Vertretung: Vera Vertretung)"),
    ],
)
async def test_every_answer_shows_behind_the_title(
    services: Services, program: httpx.AsyncClient, answer: str | None, suffix: str
) -> None:
    database = services.database
    meeting_id = await shown.a_meeting(
        database, await shown.a_group(database), title="Klima", mode="hybrid"
    )
    person_id = await shown.a_person(database)
    await shown.an_invitation(
        database,
        meeting_id,
        person_id,
        answer=answer,
        deputy_name="Vera Vertretung" if answer == "represented" else "",
    )

    found = await program.get(await personal_path(services, person_id))

    assert lines(found, "SUMMARY") == [f"SUMMARY:Klima{suffix}"]


async def test_a_declined_meeting_leaves_the_personal_feed(
    services: Services, program: httpx.AsyncClient
) -> None:
    meeting_id = await shown.a_meeting(services.database, await shown.a_group(services.database))
    person_id = await shown.a_person(services.database)
    await shown.an_invitation(services.database, meeting_id, person_id, answer="declined")

    answer = await program.get(await personal_path(services, person_id))

    assert b"VEVENT" not in answer.content


async def test_an_answer_for_the_old_day_asks_again_and_comes_back_with_it(
    services: Services, program: httpx.AsyncClient
) -> None:
    database = services.database
    meeting_id = await shown.a_meeting(database, await shown.a_group(database), title="Klima")
    person_id = await shown.a_person(database)
    await shown.an_invitation(database, meeting_id, person_id, answer="in_person")
    path = await personal_path(services, person_id)
    old, new = datetime(2027, 3, 11, 10), datetime(2027, 3, 18, 10)  # noqa: DTZ001

    for start in (new, old):
        await shown.save(
            database,
            meeting_id,
            NOW,
            starts_local=start,
            ends_local=start + timedelta(hours=2),
            starts_at=start.replace(tzinfo=shown.BERLIN),
            ends_at=(start + timedelta(hours=2)).replace(tzinfo=shown.BERLIN),
        )
        answer = await program.get(path)
        if start == new:
            assert lines(answer, "SUMMARY") == ["SUMMARY:Klima (keine Antwort)"]

    assert lines(answer, "SUMMARY") == ["SUMMARY:Klima (Zusage vor Ort)"]


async def test_personal_feed_rsvp_bumps_last_modified_only(
    services: Services, program: httpx.AsyncClient
) -> None:
    database = services.database
    meeting_id = await shown.a_meeting(database, await shown.a_group(database), title="Klima")
    erika, otto = await shown.a_person(database), await shown.a_person(database, "Otto Anders")
    invitation_id = await shown.an_invitation(database, meeting_id, erika)
    await shown.an_invitation(database, meeting_id, otto)
    paths = [await personal_path(services, person_id) for person_id in (erika, otto)]
    before = [await program.get(path) for path in (*paths, PUBLIC)]

    await _answer(database, invitation_id, erika)
    after = [await program.get(path) for path in (*paths, PUBLIC)]

    assert lines(after[0], "LAST-MODIFIED") > lines(before[0], "LAST-MODIFIED")
    assert lines(after[0], "DTSTAMP") > lines(before[0], "DTSTAMP")
    assert lines(after[0], "SEQUENCE") == lines(before[0], "SEQUENCE")
    assert after[0].headers["etag"] != before[0].headers["etag"]
    assert [one.content for one in after[1:]] == [one.content for one in before[1:]]


async def _answer(database: Database, invitation_id: UUID, person_id: UUID) -> None:
    sql = """
    UPDATE invitation SET answer = 'in_person', given_mode = 'on_site', given_town = 'Erfurt',
        given_starts_local = '2027-03-11 10:00', changed_at = $2 WHERE id = $1
    """
    async with database.unit_of_work() as unit:
        await unit.connection.execute(sql, invitation_id, NOW)
        await publishing.touch_person_feed(unit.connection, person_id, NOW)


async def test_an_english_reader_reads_english(
    services: Services, program: httpx.AsyncClient
) -> None:
    database = services.database
    meeting_id = await shown.a_meeting(database, await shown.a_group(database), title="Klima")
    person_id = await shown.a_person(database, locale="en")
    await shown.an_invitation(database, meeting_id, person_id, answer="in_person")

    answer = await program.get(await personal_path(services, person_id))

    assert lines(answer, "SUMMARY") == ["SUMMARY:Klima (accepted\\, in person)"]
    assert "http://localhost:8000/en/termin/" in unfolded(answer)


async def test_members_see_the_dates_of_their_group_before_they_are_invited(
    services: Services, program: httpx.AsyncClient
) -> None:
    database = services.database
    group_id = await shown.a_group(database)
    await shown.a_meeting(database, group_id, state="tentative", title="Klima")
    await shown.a_meeting(database, await shown.a_group(database, "wulis"), title="Wohnen")
    person_id = await shown.a_person(database)
    await shown.add(
        database,
        "membership",
        person_id=person_id,
        group_id=group_id,
        from_on=datetime(2026, 1, 1, tzinfo=UTC).date(),
    )

    answer = await program.get(await personal_path(services, person_id))

    assert lines(answer, "SUMMARY") == ["SUMMARY:Voraussichtlich: Klima"]
    assert lines(answer, "ATTENDEE") == []


async def test_being_invited_makes_the_entry_look_changed(
    services: Services, program: httpx.AsyncClient
) -> None:
    database = services.database
    group_id = await shown.a_group(database, is_everybody=True)
    meeting_id = await shown.a_meeting(database, group_id)
    person_id = await shown.a_person(database)
    await shown.an_invitation(database, meeting_id, person_id, state="planned")
    path = await personal_path(services, person_id)
    before = await program.get(path)

    async with database.unit_of_work() as unit:
        await unit.connection.execute(
            "UPDATE invitation SET state = 'invited', invited_at = $1", NOW
        )
        await publishing.touch_feeds(unit.connection, meeting_id, NOW)
    after = await program.get(path)

    assert lines(before, "ATTENDEE") == []
    assert len(lines(after, "ATTENDEE")) == 1
    assert lines(after, "LAST-MODIFIED") == ["LAST-MODIFIED:20270120T090000Z"]
    assert lines(after, "LAST-MODIFIED") > lines(before, "LAST-MODIFIED")


async def test_who_was_uninvited_sees_the_meeting_no_more(
    services: Services, program: httpx.AsyncClient
) -> None:
    meeting_id = await shown.a_meeting(services.database, await shown.a_group(services.database))
    person_id = await shown.a_person(services.database)
    await shown.an_invitation(services.database, meeting_id, person_id, state="uninvited")

    answer = await program.get(await personal_path(services, person_id))

    assert b"VEVENT" not in answer.content


async def test_the_office_sees_drafts_and_deadlines(
    services: Services, program: httpx.AsyncClient
) -> None:
    await shown.a_meeting(
        services.database,
        await shown.a_group(services.database),
        state="draft",
        slug=None,
        title="Klima",
        visibility="internal",
        answer_by_local=datetime(2027, 3, 4, 12),  # noqa: DTZ001
    )

    answer = await program.get(await office_path(services))

    assert lint.find_defects(answer.content) == []
    assert lines(answer, "SUMMARY") == ["SUMMARY:Entwurf: Klima", "SUMMARY:Antwortfrist: Klima"]


async def test_one_bad_meeting_does_not_take_the_feed_down(
    database: Database, program: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    starts = datetime(2027, 3, 11, 10)  # noqa: DTZ001
    await shown.a_meeting(database, group_id, starts, ends=starts, ends_at=None, title="seltsam")
    await shown.a_meeting(database, group_id, title="gut")

    answer = await program.get(PUBLIC)

    assert lines(answer, "SUMMARY") == ["SUMMARY:gut"]


async def test_two_edits_in_one_second_have_growing_last_modified(
    database: Database, program: httpx.AsyncClient
) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database))
    seen = []

    for title in ("eins", "zwei"):
        await shown.save(database, meeting_id, NOW, title=title)
        answer = await program.get(PUBLIC)
        seen.append((lines(answer, "LAST-MODIFIED")[0], answer.headers["last-modified"]))

    assert [moment for moment, _ in seen] == [
        "LAST-MODIFIED:20270120T090000Z",
        "LAST-MODIFIED:20270120T090001Z",
    ]
    assert seen[0][1] < seen[1][1]


async def test_uid_stable_after_rename_move_domain_change_restore(
    database: Database, program: httpx.AsyncClient
) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database))
    before = lines(await program.get(PUBLIC), "UID")
    start = datetime(2027, 4, 1, 14)  # noqa: DTZ001

    await shown.save(
        database,
        meeting_id,
        NOW,
        title="Anders",
        starts_local=start,
        ends_local=start + timedelta(hours=1),
        starts_at=start.replace(tzinfo=shown.BERLIN),
        ends_at=None,
    )
    after = lines(await program.get(PUBLIC), "UID")

    assert after == before


# How they answer


async def test_content_type_charset_disposition_exact(program: httpx.AsyncClient) -> None:
    answer = await program.get(PUBLIC)

    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["content-disposition"] == 'inline; filename="termine.ics"'
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["x-robots-tag"] == "noindex"
    assert answer.headers["content-length"] == str(len(answer.content))
    assert answer.headers["etag"] == feed.etag(answer.content)
    assert "set-cookie" not in answer.headers


async def test_a_secret_address_is_cached_by_nobody(
    services: Services, program: httpx.AsyncClient
) -> None:
    path = await personal_path(services, await shown.a_person(services.database))

    answer = await program.get(path)

    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-disposition"] == 'inline; filename="meine-termine.ics"'


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*", "{gzip}"])
async def test_etag_if_none_match_304_weak_list_star(program: httpx.AsyncClient, form: str) -> None:
    tag = (await program.get(PUBLIC)).headers["etag"]
    given = form.replace("{gzip}", tag[:-1] + '-gzip"').replace("{}", tag)

    answer = await program.get(PUBLIC, headers={"if-none-match": given})

    assert answer.status_code == 304
    assert answer.content == b""
    assert answer.headers["etag"] == tag
    assert answer.headers["cache-control"] == "public, max-age=300"


async def test_the_date_counts_only_without_a_tag(program: httpx.AsyncClient) -> None:
    since = (await program.get(PUBLIC)).headers["last-modified"]

    by_date = await program.get(PUBLIC, headers={"if-modified-since": since})
    by_both = await program.get(
        PUBLIC, headers={"if-modified-since": since, "if-none-match": '"other"'}
    )

    assert by_date.status_code == 304
    assert by_both.status_code == 200


async def test_head_equals_get_headers(program: httpx.AsyncClient) -> None:
    get, head = await program.get(PUBLIC), await program.head(PUBLIC)

    assert head.status_code == 200
    assert head.headers == get.headers
    assert head.content == b""


@pytest.mark.parametrize("method", ["PROPFIND", "PUT", "DELETE", "POST", "REPORT"])
async def test_propfind_put_delete_405_with_allow(program: httpx.AsyncClient, method: str) -> None:
    answer = await program.request(method, PUBLIC, headers={"if-match": "nothing"})

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_no_content_encoding_even_with_accept_encoding_gzip(
    program: httpx.AsyncClient,
) -> None:
    answer = await program.get(PUBLIC, headers={"accept-encoding": "gzip, br"})

    assert "content-encoding" not in answer.headers


@pytest.mark.parametrize(
    "accept",
    [
        "text/calendar",
        "text/calendar, application/calendar+json, application/calendar+xml",
        "text/calendar, */*;q=0.9",
        "*/*",
        "image/png",
        "",
    ],
)
async def test_accept_header_variants(program: httpx.AsyncClient, accept: str) -> None:
    answer = await program.get(PUBLIC, headers={"accept": accept})

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"


async def test_unknown_token_404_with_constant_body(
    services: Services, program: httpx.AsyncClient
) -> None:
    path = await personal_path(services, await shown.a_person(services.database))
    token = path.split("/")[3]
    other = token[:-2] + ("aa" if not token.endswith("aa") else "ba")
    unknown = [
        path.replace(token, other),
        path.replace(token, token.upper()),
        path.replace(token, "kurz"),
        path.replace("/p/", "/b/").replace("meine-termine", "buero"),
        "/ics/g/niemand/niemand.ics",
        "/ics/",
        "/ics/alle/termine.ics/",
    ]

    answers = [await program.get(one) for one in unknown]

    assert {answer.status_code for answer in answers} == {404}
    assert len({(answer.content, tuple(answer.headers.items())) for answer in answers}) == 1


async def test_unknown_token_404_with_constant_work(services: Services, ready: None) -> None:
    known = await personal_path(services, await shown.a_person(services.database))
    token = known.split("/")[3]
    unknown = [known.replace(token, one) for one in (token[:-2] + "aa", token.upper(), "kurz", "a")]
    seen: list[str] = []
    work = []

    # One connection serves them all, so it sees each statement; the watch for changes would
    # mix its own among them.
    async with Database(services.database.dsn, pool_size=1) as database:
        application = patient_feeds(replace(services, database=database), poll_seconds=3600)
        async with open_program(application) as program:
            await program.get("/ics/")
            async with database.unit_of_work() as unit:
                unit.connection.add_query_logger(lambda one: seen.append(one.query))
            for path in unknown:
                # Kept for seconds; where a machine stands still so long, one path had to read it.
                furnishing.forget(database)
                await asyncio.sleep(0)
                seen.clear()
                await program.get(path)
                await asyncio.sleep(0)
                work.append(list(seen))

    assert any("FROM feed" in sql for sql in work[0])
    assert [work[0]] * len(unknown) == work


async def test_revoked_token_tombstone_then_410(
    services: Services, program: httpx.AsyncClient, application: FeedApplication, clock: Clock
) -> None:
    database = services.database
    person_id = await shown.a_person(database)
    old = await personal_path(services, person_id)
    await program.get(old)
    own = await subscribing.find_personal(database, services.keys, person_id)
    assert own is not None

    await subscribing.renew(database, COMMAND, own.id, NOW)
    tombstone = await program.get(old)
    again = await program.get(old)
    new = await program.get(await personal_path(services, person_id))
    clock.go_on(timedelta(days=30))
    await application.cache.check()
    gone = await program.get(old)

    assert tombstone.status_code == 200
    assert lint.find_defects(tombstone.content) == []
    assert lines(tombstone, "SUMMARY") == ["SUMMARY:Abonnement beendet – neu abonnieren"]
    assert lines(tombstone, "UID") == [f"UID:feed-{own.id}-ended"]
    assert again.content == tombstone.content
    assert new.status_code == 200
    assert b"VEVENT" not in new.content
    assert gone.status_code == 410


async def test_a_revoked_feed_ends_the_same_way(
    services: Services, program: httpx.AsyncClient, application: FeedApplication, clock: Clock
) -> None:
    person_id = await shown.a_person(services.database)
    path = await personal_path(services, person_id)
    own = await subscribing.find_personal(services.database, services.keys, person_id)
    assert own is not None

    await subscribing.revoke(services.database, COMMAND, own.id, NOW)
    ended = await program.get(path)
    clock.go_on(timedelta(days=31))
    await application.cache.check()
    gone = await program.get(path)

    assert lines(ended, "SUMMARY") == ["SUMMARY:Abonnement beendet – neu abonnieren"]
    assert gone.status_code == 410


async def test_feed_polled_500_times_never_429_or_5xx(services: Services, ready: None) -> None:
    path = await personal_path(services, await shown.a_person(services.database))
    mark = "&" if "?" in services.database.dsn else "?"
    # Whoever writes a row here is refused by the database, and would answer 503.
    dsn = f"{services.database.dsn}{mark}default_transaction_read_only=on"

    async with test_database.patient(dsn, pool_size=2) as readable:
        application = patient_feeds(replace(services, database=readable))
        async with open_program(application) as program:
            tag = (await program.get(path)).headers["etag"]
            conditions: list[dict[str, str]] = [
                {},
                {"if-none-match": tag},
                {"if-none-match": '"x"'},
            ]
            answers = await asyncio.gather(
                *(program.get(path, headers=conditions[i % 3]) for i in range(500))
            )
            application.cache.entries[path].is_stale = True
            again = await program.get(path)

    assert [200, 304, 200] * 166 + [200, 304] == [answer.status_code for answer in answers]
    assert 200 == again.status_code


async def test_the_day_and_kind_of_program_are_noted_for_all_at_once(
    services: Services, program: httpx.AsyncClient, application: FeedApplication
) -> None:
    person_id = await shown.a_person(services.database)
    path = await personal_path(services, person_id)
    await program.get(path, headers={"user-agent": "Mozilla/5.0 Thunderbird/140.0"})

    await application.cache.note_fetches()
    own = await subscribing.find_personal(services.database, services.keys, person_id)

    assert own is not None
    assert (own.last_fetch_on, own.client_family) == (NOW.date(), "Thunderbird")


@pytest.mark.parametrize(
    ("agent", "family"),
    [
        ("Google-Calendar-Importer", "Google"),
        ("Microsoft Exchange/15.20", "Outlook"),
        ("iOS/18.1 (22B83) dataaccessd/1.0", "Apple"),
        ("ICSx5/2.3", "ICSx5"),
        ("curl/8.5", "andere"),
    ],
)
def test_programs_are_told_apart_by_family_only(agent: str, family: str) -> None:
    assert client_family(agent) == family


async def test_a_second_process_follows_within_the_next_poll(
    services: Services, ready: None
) -> None:
    await shown.make_feeds(services.database)
    group_id = await shown.a_group(services.database)
    # Its own rounds would come between where the machine is slow.
    application = patient_feeds(services, poll_seconds=3600)
    async with open_program(application) as program:
        before = await program.get(PUBLIC)
        await shown.a_meeting(services.database, group_id, title="Klima")
        # What another process does is seen in the row alone.
        await services.database.fetch("UPDATE feed SET revision = revision + 1")

        unseen = await program.get(PUBLIC)
        await application.cache.check()
        seen = await program.get(PUBLIC)

    assert unseen.content == before.content
    assert lines(seen, "SUMMARY") == ["SUMMARY:Klima"]


class Outage:
    """A database that is away as soon as the test says so."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.is_away = False

    def __getattr__(self, name: str) -> Any:
        if self.is_away:
            raise ConnectionRefusedError
        return getattr(self._database, name)


async def test_db_down_serves_last_good_feed_200(services: Services, ready: None) -> None:
    await shown.make_feeds(services.database)
    outage = Outage(services.database)
    application = FeedApplication(replace(services, database=outage))  # type: ignore[arg-type]
    async with open_program(application) as program:
        before = await program.get(PUBLIC)
        outage.is_away = True
        application.cache.entries[PUBLIC].is_stale = True

        stale = await program.get(PUBLIC)
        unchanged = await program.get(PUBLIC, headers={"if-none-match": before.headers["etag"]})
        uncached = await program.get("/ics/g/klima/klima.ics")

    assert (stale.status_code, stale.content) == (200, before.content)
    assert unchanged.status_code == 304
    assert uncached.status_code == 503
    assert uncached.headers["retry-after"] == "60"


async def test_memory_for_feeds_is_bounded(
    services: Services, application: FeedApplication, program: httpx.AsyncClient
) -> None:
    paths = [
        await personal_path(services, await shown.a_person(services.database)) for _ in range(4)
    ]
    size = len((await program.get(PUBLIC)).content) + 2048
    application.cache._max_bytes = 3 * size

    for path in paths:
        await program.get(path)

    assert len(application.cache.entries) <= 3
    assert paths[-1] in application.cache.entries
