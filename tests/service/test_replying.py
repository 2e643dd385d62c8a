"""Answers, by link and by hand: what is stored, what is refused, and what happens at once."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from service import replying, tokens
from service.auditing import Actor
from service.database import Database
from service.domain.errors import (
    AnsweringClosedError,
    DomainError,
    FieldsError,
    LinkExpiredError,
    LinkReplacedError,
    LinkUnknownError,
    MeetingChangedError,
    NotFoundError,
    SeatsTakenError,
)
from service.domain.words import Answer, Way
from service.replying import Reply
from service.tokens import Key, Keys, Purpose
from tests import database as test_database
from tests.invited import (
    KEYS,
    NOW,
    Invited,
    a_meeting,
    a_person,
    invite,
    invite_many,
    snapshot,
    somebody_invited,
)

YES = Reply(answer=Answer.IN_PERSON)
NO = Reply(answer=Answer.DECLINED)
OFFICE = Actor("account", uuid4(), "Kim Koordination")


async def answer(
    database: Database, invited: Invited, reply: Reply = YES, now: datetime = NOW
) -> replying.Recorded:
    """Answer as the page does, which knows the meeting's revision."""
    if reply.seen_revision is None:
        known = "SELECT revision FROM meeting WHERE id = $1"
        revision = await database.fetchval(known, invited.meeting_id)
        reply = replace(reply, seen_revision=revision)
    return await replying.record_reply(database, KEYS, invited.token, reply, now)


async def look_and_answer(
    database: Database, invited: Invited, reply: Reply = YES, now: datetime = NOW
) -> replying.Recorded:
    """Answer without a page: the rows are looked at first."""
    return await replying.record_reply(database, KEYS, invited.token, reply, now)


BOTH_WAYS = pytest.mark.parametrize("answering", [answer, look_and_answer])


async def one(database: Database, table: str) -> dict[str, Any]:
    rows = await database.fetch(f"SELECT * FROM {table}")
    assert len(rows) == 1
    return dict(rows[0])


async def count(database: Database, sql: str) -> int:
    return int(await database.fetchval(f"SELECT count(*) FROM {sql}"))


async def taken(database: Database, invited: Invited) -> int:
    return int(
        await database.fetchval(
            "SELECT taken FROM meeting_seats WHERE meeting_id = $1", invited.meeting_id
        )
    )


async def test_the_link_shows_whom_and_what_it_is_for(database: Database) -> None:
    invited = await somebody_invited(database)

    view = await replying.find_invitation(database, KEYS, invited.token, NOW)

    assert view.id == invited.invitation_id
    assert view.full_name == "Mira Muster"
    assert view.organisation == "Stadt Musterhausen"
    assert view.meeting.title == "16. Arbeitsgruppensitzung Klima"
    assert view.answer is None
    assert view.phase == "open"


async def test_looking_changes_no_row_of_any_table(database: Database) -> None:
    invited = await somebody_invited(database)
    before = await snapshot(database)

    for _ in range(3):
        await replying.find_invitation(database, KEYS, invited.token, NOW)

    assert await snapshot(database) == before


async def test_an_answer_is_stored_with_what_it_was_given_for(database: Database) -> None:
    invited = await somebody_invited(database)
    reply = Reply(
        answer=Answer.ONLINE,
        note="Bis später",
        access_needs="Schriftdolmetschung",
        list_consent=True,
        answered_for="Sam Sekretariat",
        seen_revision=1,
    )

    recorded = await answer(database, invited, reply)

    row = await one(database, "invitation")
    assert recorded == replying.Recorded(invited.invitation_id, Answer.ONLINE, is_new=True)
    assert row["answer"] == "online"
    assert row["answer_way"] == "link"
    assert row["answered_at"] == NOW
    assert row["answered_by"] is None
    assert row["answered_for"] == "Sam Sekretariat"
    assert row["note"] == "Bis später"
    assert row["access_needs"] == "Schriftdolmetschung"
    assert row["list_consent"] is True
    assert row["is_late"] is False
    assert row["given_starts_local"] == datetime(2027, 1, 21, 10, 0)  # noqa: DTZ001
    assert row["given_mode"] == "hybrid"
    assert row["given_town"] == "Erfurt"
    assert row["answer_rev"] == 1


async def test_with_or_without_a_look_the_same_is_stored(database: Database) -> None:
    meeting = await a_meeting(database, capacity=10)
    reply = Reply(
        answer=Answer.REPRESENTED,
        note="Gruß",
        access_needs="Rampe",
        list_consent=True,
        deputy_name="Dana",
        answered_for="Sekretariat",
    )
    rows = []
    for answering in (answer, look_and_answer):
        invited = await invite(database, meeting, await a_person(database))
        await answering(database, invited, YES)
        await answering(database, invited, reply, NOW + timedelta(minutes=1))
        rows.append([await _without_ids(database, table) for table in _WRITTEN])
        await database.fetch("DELETE FROM outbox")
        for table in ("letter", "answer", "audit", "feed", "invitation"):
            await database.fetch(f"DELETE FROM {table}")
        await database.fetch("UPDATE meeting_seats SET taken = 0")

    assert rows[0] == rows[1]
    assert [len(table) for table in rows[0]] == [1, 2, 2, 2, 2, 1, 1]


_WRITTEN = ("invitation", "answer", "audit", "letter", "outbox", "feed", "meeting_seats")


async def _without_ids(database: Database, table: str) -> list[dict[str, Any]]:
    rows = await database.fetch(f"SELECT * FROM {table}")
    told = [
        {
            name: value
            for name, value in row.items()
            if not isinstance(value, UUID) and name not in _OWN and value is not None
        }
        for row in rows
    ]
    return sorted(told, key=str)


_OWN = frozenset({"id", "dedupe_key", "ordering_key", "cause", "details", "created_at"})


async def test_an_answer_leaves_history_audit_and_one_receipt(database: Database) -> None:
    invited = await somebody_invited(database)

    await answer(database, invited, replace(YES, note="Geheimes Wort"))

    history = await one(database, "answer")
    audit = await one(database, "audit")
    letter = await one(database, "letter")
    outbox = await one(database, "outbox")
    assert (history["invitation_id"], history["answer"], history["answer_rev"]) == (
        *(invited.invitation_id, "in_person", 1),
    )
    assert (audit["actor_kind"], audit["actor_id"], audit["action"]) == (
        *("person", invited.person_id, "answered"),
    )
    assert "Geheimes" not in str(audit["details"])
    assert letter["dedupe_key"] == f"rcp:{invited.invitation_id}:1"
    assert letter["kind"] == "receipt"
    assert letter["recipient_id"] == invited.person_id
    assert letter["subject_id"] == invited.meeting_id
    assert letter["ordering_key"] == f"{invited.person_id}:{invited.meeting_id}"
    assert letter["cause"] == {"invitation": str(invited.invitation_id), "answer_rev": 1}
    assert outbox["id"] == letter["id"]
    assert outbox["state"] == "queued"
    assert outbox["priority"] == 3
    assert outbox["next_attempt_at"] == NOW
    assert outbox["recipient_domain"] == "partner.example.org"


async def test_the_own_feed_follows_an_answer_and_no_other(database: Database) -> None:
    invited = await somebody_invited(database)
    other = await invite(database, invited.meeting_id, await a_person(database, "Omar Oder"))

    await answer(database, invited)

    rows = await database.fetch("SELECT person_id, revision FROM feed")
    assert {row["person_id"]: row["revision"] for row in rows} == {
        invited.person_id: 2,
        other.person_id: 1,
    }


@BOTH_WAYS
async def test_the_same_answer_twice_is_stored_once(database: Database, answering: Any) -> None:
    invited = await somebody_invited(database)
    await answering(database, invited, replace(YES, note="Gern"))
    before = await snapshot(database)

    again = await answering(database, invited, replace(YES, note="Gern"), NOW + timedelta(hours=1))

    assert again.is_new is False
    assert await snapshot(database) == before


@BOTH_WAYS
async def test_a_double_click_in_the_same_moment_is_stored_once(
    database: Database, answering: Any
) -> None:
    invited = await somebody_invited(database, capacity=10)

    done = await asyncio.gather(*[answering(database, invited) for _ in range(6)])

    assert sorted(one.is_new for one in done) == [False] * 5 + [True]
    assert await count(database, "answer") == 1
    assert await count(database, "letter") == 1
    assert await taken(database, invited) == 1


async def test_a_changed_mind_keeps_the_history(database: Database) -> None:
    invited = await somebody_invited(database)
    await answer(database, invited, YES)

    await answer(database, invited, NO, NOW + timedelta(days=1))

    history = await replying.list_answers(database, invited.invitation_id)
    assert [row["answer"] for row in history] == ["declined", "in_person"]
    assert (await one(database, "invitation"))["answer"] == "declined"


@BOTH_WAYS
async def test_of_quick_changes_one_receipt_waits_and_the_last_state_wins(
    database: Database, answering: Any
) -> None:
    invited = await somebody_invited(database)
    await answering(database, invited, YES)
    await answering(database, invited, NO, NOW + timedelta(seconds=20))

    await answering(database, invited, YES, NOW + timedelta(seconds=40))

    rows = await database.fetch(
        "SELECT dedupe_key, state, next_attempt_at FROM letter JOIN outbox USING (id)"
        " ORDER BY letter.created_at"
    )
    states = {row["dedupe_key"].rsplit(":", 1)[1]: row["state"] for row in rows}
    assert states == {"1": "cancelled", "2": "cancelled", "3": "queued"}
    assert rows[-1]["next_attempt_at"] == NOW + timedelta(seconds=160)


@BOTH_WAYS
async def test_a_receipt_and_its_copy_are_of_use_for_a_day(
    database: Database, answering: Any
) -> None:
    invited = await somebody_invited(database)
    await database.fetch("UPDATE person SET copy_email = 'sekretariat@example.org'")

    await answering(database, invited, YES)

    rows = await database.fetch("SELECT expires_at FROM outbox")
    assert [row["expires_at"] for row in rows] == [NOW + timedelta(hours=24)] * 2


async def test_a_receipt_that_has_left_is_not_taken_back(database: Database) -> None:
    invited = await somebody_invited(database)
    await answer(database, invited, YES)
    await database.fetch("UPDATE outbox SET state = 'sent'")

    await answer(database, invited, NO, NOW + timedelta(hours=1))

    rows = await database.fetch("SELECT state FROM outbox ORDER BY created_at")
    assert [row["state"] for row in rows] == ["sent", "queued"]


async def test_who_has_no_address_answers_without_a_receipt(database: Database) -> None:
    person = await a_person(database, email=None, email_normal=None)
    invited = await invite(database, await a_meeting(database), person)

    await answer(database, invited)

    assert (await one(database, "invitation"))["answer"] == "in_person"
    assert await count(database, "letter") == 0


@pytest.mark.parametrize(
    ("reply", "mode", "seats"),
    [
        (Answer.IN_PERSON, "hybrid", 1),
        (Answer.IN_PERSON, "on_site", 1),
        (Answer.REPRESENTED, "hybrid", 1),
        (Answer.REPRESENTED, "online", 0),
        (Answer.ONLINE, "hybrid", 0),
        (Answer.DECLINED, "on_site", 0),
        (Answer.UNDECIDED, "on_site", 0),
    ],
)
async def test_who_comes_or_sends_somebody_to_the_room_holds_a_seat(
    database: Database, reply: Answer, mode: str, seats: int
) -> None:
    invited = await somebody_invited(database, mode=mode)

    await answer(database, invited, Reply(answer=reply))

    assert await taken(database, invited) == seats
    assert (await one(database, "invitation"))["has_seat"] is bool(seats)


async def test_changing_away_frees_the_seat_for_the_next(database: Database) -> None:
    first = await somebody_invited(database, capacity=1)
    second = await invite(database, first.meeting_id, await a_person(database, "Omar Oder"))
    await answer(database, first, YES)
    with pytest.raises(SeatsTakenError):
        await answer(database, second, YES)

    await answer(database, first, NO)
    await answer(database, second, YES)

    assert await taken(database, first) == 1


async def test_the_deputy_keeps_the_seat_of_who_sends_them(database: Database) -> None:
    invited = await somebody_invited(database, capacity=1)
    await answer(database, invited, YES)

    await answer(database, invited, Reply(answer=Answer.REPRESENTED, deputy_name="Dana"), NOW)

    assert await taken(database, invited) == 1
    assert (await one(database, "invitation"))["deputy_name"] == "Dana"


async def test_a_refused_answer_leaves_nothing_behind(database: Database) -> None:
    first = await somebody_invited(database, capacity=1)
    second = await invite(database, first.meeting_id, await a_person(database, "Omar Oder"))
    await answer(database, first, YES)
    before = await snapshot(database)

    with pytest.raises(SeatsTakenError):
        await answer(database, second, YES)

    assert await snapshot(database) == before


async def test_the_last_seat_goes_once(database: Database) -> None:
    meeting = await a_meeting(database, capacity=1)
    rivals = [
        await invite(database, meeting, await a_person(database, f"Person{n} Muster"))
        for n in range(8)
    ]

    done = await asyncio.gather(
        *[answer(database, rival) for rival in rivals], return_exceptions=True
    )

    assert sum(isinstance(one, replying.Recorded) for one in done) == 1
    assert sum(isinstance(one, SeatsTakenError) for one in done) == 7
    assert await taken(database, rivals[0]) == 1


@BOTH_WAYS
async def test_five_hundred_answers_to_fifty_seats_fill_fifty(
    database: Database, database_url: str, answering: Any
) -> None:
    meeting = await a_meeting(database, capacity=50)
    rivals = await invite_many(database, meeting, 500)

    waiting = iter(rivals)
    # Both workers may run this at once, and their server has a hundred connections.
    async with test_database.patient(database_url, pool_size=30) as wide:
        done = [
            one
            for each in await asyncio.gather(
                *[_answer_in_turn(wide, answering, waiting) for _ in range(30)]
            )
            for one in each
        ]

    kinds = [type(one) for one in done]
    assert kinds.count(replying.Recorded) == 50
    assert kinds.count(SeatsTakenError) == 450
    assert await taken(database, rivals[0]) == 50
    assert await count(database, "invitation WHERE has_seat") == 50
    assert await count(database, "letter") == 50


async def _answer_in_turn(
    database: Database, answering: Any, rivals: Iterator[Invited]
) -> list[replying.Recorded | SeatsTakenError]:
    """Answer for one after the other, as one connection does."""
    done: list[replying.Recorded | SeatsTakenError] = []
    for rival in rivals:
        try:
            done.append(await answering(database, rival))
        except SeatsTakenError as error:
            done.append(error)
    return done


async def test_a_meeting_without_its_counter_gets_one(database: Database) -> None:
    invited = await somebody_invited(database, capacity=2)
    await database.fetch("DELETE FROM meeting_seats")

    await answer(database, invited)

    assert await taken(database, invited) == 1


def _altered(token: str) -> str:
    return token[:40] + ("a" if token[40] != "a" else "b") + token[41:]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda _: "",
        lambda _: "x",
        lambda invited: invited.token[:-1],
        lambda invited: invited.token + "a",
        lambda invited: _altered(invited.token),
        lambda _: "ü" * 52,
        lambda invited: tokens.derive(KEYS, Purpose.FEED, invited.handle, 1),
        lambda invited: tokens.derive(KEYS, Purpose.ANSWER, invited.handle, 2),
        lambda _: tokens.derive(KEYS, Purpose.ANSWER, uuid4(), 1),
        lambda invited: tokens.derive(
            Keys([Key("other", b"o" * 32)]), Purpose.ANSWER, invited.handle, 1
        ),
    ],
    ids=[
        *("empty", "short", "truncated", "longer", "altered", "not_ascii", "other_purpose"),
        *("epoch_to_come", "unknown_row", "foreign_key"),
    ],
)
async def test_what_is_no_link_of_ours_is_unknown(database: Database, spoil: Any) -> None:
    invited = await somebody_invited(database)
    before = await snapshot(database)

    with pytest.raises(LinkUnknownError):
        await replying.record_reply(database, KEYS, spoil(invited), YES, NOW)

    assert await snapshot(database) == before


async def test_a_renewed_link_says_since_when(database: Database) -> None:
    invited = await somebody_invited(database)
    await database.fetch("UPDATE invitation SET epoch = 3, renewed_at = $1", NOW)

    with pytest.raises(LinkReplacedError) as caught:
        await answer(database, invited)

    assert caught.value.values == {"renewed_at": NOW}


async def test_links_live_through_a_rotation_of_the_key(database: Database) -> None:
    invited = await somebody_invited(database)
    rotated = Keys([Key("t2", b"n" * 32), *KEYS.keys])

    recorded = await replying.record_reply(database, rotated, invited.token, YES, NOW)

    assert recorded.is_new is True


async def test_a_link_is_readable_for_thirty_days_after_the_end(database: Database) -> None:
    invited = await somebody_invited(database)
    end = datetime(2027, 1, 21, 11, 0, tzinfo=UTC)

    last = await replying.find_invitation(
        database, KEYS, invited.token, end + timedelta(days=30, seconds=-1)
    )

    assert last.phase == "held"
    with pytest.raises(LinkExpiredError) as caught:
        await replying.find_invitation(database, KEYS, invited.token, end + timedelta(days=30))
    assert caught.value.values == {"until": end + timedelta(days=30)}


@pytest.mark.parametrize(
    ("minutes_to_deadline", "is_late"), [(-1, False), (0, False), (1, True), (60 * 24, True)]
)
async def test_an_answer_after_the_deadline_is_taken_and_marked(
    database: Database, minutes_to_deadline: int, *, is_late: bool
) -> None:
    invited = await somebody_invited(database)
    now = datetime(2027, 1, 14, 11, 0, tzinfo=UTC) + timedelta(minutes=minutes_to_deadline)

    await answer(database, invited, YES, now)

    assert (await one(database, "invitation"))["is_late"] is is_late


async def test_an_answer_is_taken_until_the_end_of_the_meeting(database: Database) -> None:
    invited = await somebody_invited(database)

    during = await answer(database, invited, YES, datetime(2027, 1, 21, 10, 59, tzinfo=UTC))

    assert during.is_new is True
    with pytest.raises(AnsweringClosedError):
        await answer(database, invited, NO, datetime(2027, 1, 21, 11, 0, tzinfo=UTC))


@pytest.mark.parametrize("state", ["cancelled", "postponed", "held", "tentative", "draft"])
async def test_a_meeting_that_does_not_stand_takes_no_answer(
    database: Database, state: str
) -> None:
    invited = await somebody_invited(database, state=state)
    before = await snapshot(database)

    with pytest.raises(AnsweringClosedError):
        await answer(database, invited)

    assert await snapshot(database) == before


async def test_who_is_no_longer_invited_cannot_answer(database: Database) -> None:
    invited = await somebody_invited(database)
    await database.fetch("UPDATE invitation SET state = 'uninvited'")

    with pytest.raises(AnsweringClosedError):
        await answer(database, invited)

    assert await count(database, "answer") == 0


async def test_a_page_that_is_older_than_the_meeting_is_shown_again(database: Database) -> None:
    invited = await somebody_invited(database)
    await database.fetch("UPDATE meeting SET revision = 2, place_name = 'Bibliothek'")

    with pytest.raises(MeetingChangedError) as caught:
        await answer(database, invited, replace(YES, seen_revision=1))

    assert caught.value.values["view"].meeting.place_name == "Bibliothek"
    assert await count(database, "answer") == 0


async def test_an_answer_that_no_longer_holds_is_given_anew(database: Database) -> None:
    invited = await somebody_invited(database)
    await answer(database, invited)
    await database.fetch(
        "UPDATE meeting SET revision = 2, starts_local = starts_local + interval '7 days',"
        " ends_local = ends_local + interval '7 days'"
    )
    moved = await replying.find_invitation(database, KEYS, invited.token, NOW)

    again = await answer(database, invited, replace(YES, seen_revision=2))

    now_holds = await replying.find_invitation(database, KEYS, invited.token, NOW)
    assert (moved.answer, moved.holds) == (Answer.IN_PERSON, False)
    assert again.is_new is True
    assert now_holds.holds is True


@pytest.mark.parametrize(
    ("reply", "mode", "field", "text"),
    [
        (Reply(answer=None), "hybrid", "answer", "rsvp.err_answer"),
        (Reply(answer=Answer.ONLINE), "on_site", "answer", "rsvp.err_answer"),
        (Reply(answer=Answer.IN_PERSON), "online", "answer", "rsvp.err_answer"),
        (replace(YES, note="x" * 501), "hybrid", "note", "rsvp.err_note"),
        (replace(YES, access_needs="x" * 301), "hybrid", "access_needs", "rsvp.err_needs"),
        (
            Reply(answer=Answer.REPRESENTED, deputy_name="x" * 201),
            *("hybrid", "deputy_name", "rsvp.err_name"),
        ),
        (replace(YES, answered_for="x" * 201), "hybrid", "answered_for", "rsvp.err_name"),
    ],
)
async def test_what_is_wrong_is_said_at_its_field(
    database: Database, reply: Reply, mode: str, field: str, text: str
) -> None:
    invited = await somebody_invited(database, mode=mode)

    with pytest.raises(FieldsError) as caught:
        await answer(database, invited, reply)

    assert {name: wrong[0] for name, wrong in caught.value.fields.items()} == {field: text}
    assert await count(database, "answer") == 0


async def test_five_hundred_signs_fit_and_emoji_count_as_one(database: Database) -> None:
    invited = await somebody_invited(database)

    await answer(database, invited, replace(YES, note="🌳" * 500))

    assert (await one(database, "invitation"))["note"] == "🌳" * 500


INJECTIONS = [
    "'; DROP TABLE invitation; --",
    '<script>alert("x")</script>',
    "Bcc: jemand@example.org\nX: y",
    "{{ 7 * 7 }} {0} %s %(x)s $1",
    "=?utf-8?q?=0D=0ABcc:_x@example.org?=",
    '=HYPERLINK("https://example.org")',
    "\\x00 \\u0000 ' \" ` ; -- /* */",
]


@pytest.mark.parametrize("text", INJECTIONS)
async def test_words_are_kept_as_words(database: Database, text: str) -> None:
    invited = await somebody_invited(database)
    reply = Reply(answer=Answer.REPRESENTED, note=text, access_needs=text, deputy_name=text)

    await answer(database, invited, reply)

    row = await one(database, "invitation")
    assert (row["note"], row["access_needs"], row["deputy_name"]) == (text, text, text)
    assert text not in str((await one(database, "letter"))["cause"])


@pytest.mark.parametrize("way", [Way.PHONE, Way.POST, Way.MAIL])
async def test_the_office_enters_what_it_was_told_and_says_how(
    database: Database, way: Way
) -> None:
    invited = await somebody_invited(database)

    recorded = await replying.enter_reply(
        database, OFFICE, invited.invitation_id, replace(NO, note="Urlaub"), way, NOW
    )

    row = await one(database, "invitation")
    audit = await one(database, "audit")
    assert recorded.is_new is True
    assert (row["answer"], row["answer_way"], row["answered_by"]) == (
        *("declined", way.value, OFFICE.id),
    )
    assert (audit["actor_kind"], audit["actor_id"]) == ("account", OFFICE.id)
    assert (await one(database, "letter"))["kind"] == "receipt"


@pytest.mark.parametrize("way", [Way.LINK, Way.CALENDAR, Way.DEPUTY])
async def test_the_office_cannot_pretend_a_way_of_the_person(database: Database, way: Way) -> None:
    invited = await somebody_invited(database)

    with pytest.raises(FieldsError):
        await replying.enter_reply(database, OFFICE, invited.invitation_id, NO, way, NOW)

    assert await count(database, "answer") == 0


async def test_the_same_answer_by_another_way_is_another_answer(database: Database) -> None:
    invited = await somebody_invited(database)
    await answer(database, invited, NO)

    recorded = await replying.enter_reply(
        database, OFFICE, invited.invitation_id, NO, Way.PHONE, NOW
    )

    assert recorded.is_new is True
    assert await count(database, "answer") == 2


@pytest.mark.parametrize("foreign", ["invitation", "meeting"])
async def test_an_answer_is_entered_only_for_an_invitation_of_the_meeting(
    database: Database, foreign: str
) -> None:
    invited = await somebody_invited(database)
    invitation_id = uuid4() if foreign == "invitation" else invited.invitation_id

    with pytest.raises(NotFoundError):
        await replying.enter_reply(
            database, OFFICE, invitation_id, NO, Way.PHONE, NOW, meeting_id=uuid4()
        )

    assert await count(database, "answer") == 0


async def test_the_office_keeps_to_the_seats_too(database: Database) -> None:
    first = await somebody_invited(database, capacity=1)
    second = await invite(database, first.meeting_id, await a_person(database, "Omar Oder"))
    await answer(database, first)

    with pytest.raises(DomainError) as caught:
        await replying.enter_reply(database, OFFICE, second.invitation_id, YES, Way.PHONE, NOW)

    assert type(caught.value) is SeatsTakenError
