"""What clients were told, against what stands: each promise is broken once, and noticed."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from tests.faults import ledger
from tests.faults.history import History
from tests.faults.ledger import Dump, Entry, Fetch, Heard, Ledger, Press, Reply

GROUP, MEETING, OTHER, INVITATION = (UUID(int=number) for number in (1, 2, 3, 4))
FEED = "/ics/alle/termine.ics"
ENTRY = Entry("uid-1", "1-ag-klima", 1, "CONFIRMED", "20270201T100000", 1)
CALENDAR = """\
BEGIN:VCALENDAR\r
BEGIN:VEVENT\r
UID:uid-1\r
SEQUENCE:3\r
DTSTART;TZID=Europe/Berlin:20270201T100000\r
STATUS:CANCELLED\r
SUMMARY:ABGESAGT: 17. AG Kli\r
 ma\r
URL:http://localhost:8000/termin/17-ag-\r
 klima\r
END:VEVENT\r
BEGIN:VEVENT\r
UID:uid-2\r
DTSTART;VALUE=DATE:20270125\r
SUMMARY:Antwort bis heute: 17. AG Klima\r
END:VEVENT\r
END:VCALENDAR\r
"""


def a_meeting(**more: Any) -> dict[str, Any]:
    return {
        "id": MEETING,
        "uid": "uid-1",
        "slug": "1-ag-klima",
        "state": "confirmed",
        "sequence": 1,
        "capacity": 1,
        "taken": 1,
        "day": "2027-02-01",
        "group_id": GROUP,
        "number": 1,
        "next_number": 2,
    } | more


def an_invitation(*said: str, **more: Any) -> dict[str, Any]:
    note, _, answer = said[-1].partition(":") if said else ("", "", None)
    return {
        "id": INVITATION,
        "meeting_id": MEETING,
        "answer": answer,
        "note": note,
        "has_seat": answer == "in_person",
        "said": said,
        "receipts": len(said),
    } | more


def a_reply(note: str, answer: str = "in_person", heard: Heard = Heard.YES) -> Reply:
    return Reply(INVITATION, answer, note, heard)


def a_ledger(*replies: Reply, fetches: tuple[Fetch, ...] = (), presses: Any = ()) -> Ledger:
    return Ledger({GROUP: 1}, list(replies), list(presses), list(fetches))


def found(told: Ledger, *rows: dict[str, Any], meetings: Any = None) -> list[str]:
    """Return what the whole checker finds, by number and once each."""
    meetings = (
        [a_meeting(taken=sum(row["has_seat"] for row in rows))] if meetings is None else meetings
    )
    history = History((), (), {}, told, Dump(rows, meetings))
    return sorted({each.split()[0] for each in history.violations()})


def test_what_was_acknowledged_and_stands_breaks_nothing() -> None:
    told = a_ledger(
        a_reply("n1"),
        a_reply("n2", "declined"),
        fetches=(Fetch("1", FEED, (ENTRY,)), Fetch("1", FEED, (ENTRY,), is_last=True)),
        presses=(
            Press("publish", MEETING, heard=Heard.YES, number=1),
            Press("move", MEETING, "2027-02-01", Heard.YES),
        ),
    )

    assert [] == found(told, an_invitation("n1:in_person", "n2:declined"))


def test_an_acknowledged_answer_that_is_not_there_is_lost() -> None:
    told = a_ledger(a_reply("n1"), a_reply("n2", "declined"))
    row = an_invitation("n1:in_person")

    assert ["I1"] == found(told, row)
    assert 1 == ledger.lost_answers(told, Dump((row,), ()))


@pytest.mark.parametrize(
    ("heard", "expected"), [(Heard.NOTHING, []), (Heard.NO, ["I1"]), (None, ["I1"])]
)
def test_only_what_was_not_refused_may_stand(heard: Heard | None, expected: list[str]) -> None:
    replies = [] if heard is None else [a_reply("n2", "declined", heard)]

    row = an_invitation("n1:in_person", "n2:declined")
    assert expected == found(a_ledger(a_reply("n1"), *replies), row)


@pytest.mark.parametrize(
    "row",
    [
        an_invitation("n2:declined", "n1:in_person"),
        an_invitation("n1:in_person", "n2:declined", answer="in_person", note="n1", has_seat=True),
        an_invitation("n1:in_person", "n1:in_person", "n2:declined"),
    ],
)
def test_a_later_answer_gives_way_to_no_earlier_one_and_none_is_stored_twice(
    row: dict[str, Any],
) -> None:
    assert ["I1"] == found(a_ledger(a_reply("n1"), a_reply("n2", "declined")), row)


def test_an_answer_without_its_receipt_is_a_letter_too_few() -> None:
    row = an_invitation("n1:in_person", receipts=0)

    assert ["I2"] == found(a_ledger(a_reply("n1")), row)


@pytest.mark.parametrize(
    ("press", "row"),
    [
        (Press("publish", MEETING), a_meeting(state="draft", number=None, next_number=1)),
        (Press("publish", OTHER), a_meeting()),
        (Press("cancel", MEETING), a_meeting()),
        (Press("move", MEETING, "2027-03-01"), a_meeting()),
        (Press("publish", MEETING, number=2), a_meeting()),
    ],
)
def test_an_acknowledged_press_stands(press: Press, row: dict[str, Any]) -> None:
    press = replace(press, heard=Heard.YES)

    assert ["I1"] == found(a_ledger(presses=(press,)), meetings=[row | {"taken": 0}])
    unheard = replace(press, heard=Heard.NOTHING)
    assert [] == found(a_ledger(presses=(unheard,)), meetings=[row | {"taken": 0}])


def test_a_move_that_raised_no_sequence_is_missed_by_calendars() -> None:
    presses = [Press("move", MEETING, day, Heard.YES) for day in ("2027-01-01", "2027-02-01")]

    assert ["I5"] == found(a_ledger(presses=presses), meetings=[a_meeting(taken=0)])


@pytest.mark.parametrize(
    "later",
    [
        replace(ENTRY, sequence=0),
        replace(ENTRY, uid="uid-9"),
        replace(ENTRY, page="1-ag-klima-2027"),
        replace(ENTRY, sequence=2),
        replace(ENTRY, starts="20270301T100000"),
        replace(ENTRY, status="CANCELLED"),
        None,
    ],
)
def test_what_a_calendar_said_once_binds_it(later: Entry | None) -> None:
    fetches = (Fetch("1", FEED, (ENTRY,)), Fetch("1", FEED, (later,) if later else ()))

    assert ["I5"] == found(a_ledger(fetches=fetches), meetings=[a_meeting(taken=0)])


@pytest.mark.parametrize(
    "row", [a_meeting(sequence=2), a_meeting(state="cancelled"), a_meeting(uid="uid-2", slug="2")]
)
def test_in_the_end_every_calendar_says_what_stands(row: dict[str, Any]) -> None:
    fetches = (Fetch("1", FEED, (ENTRY,), is_last=True),)

    assert "I5" in found(a_ledger(fetches=fetches), meetings=[row | {"taken": 0}])
    assert not ledger.is_fresh(fetches[0], Dump((), [row]))


def test_another_process_may_be_a_moment_behind_until_the_end() -> None:
    newer = replace(ENTRY, sequence=2)
    fetches = (Fetch("1", FEED, (newer,)), Fetch("2", FEED, (ENTRY,)))

    assert [] == found(a_ledger(fetches=fetches), meetings=[a_meeting(taken=0, sequence=2)])


@pytest.mark.parametrize(
    ("row", "more"),
    [
        (an_invitation("n1:in_person"), {"taken": 0}),
        (an_invitation("n1:in_person"), {"capacity": 0}),
        (an_invitation("n1:in_person", has_seat=False), {"taken": 0}),
        (an_invitation("n1:declined", has_seat=True), {}),
    ],
)
def test_seats_are_never_overbooked_nor_miscounted(
    row: dict[str, Any], more: dict[str, Any]
) -> None:
    answer = row["answer"]

    meetings = [a_meeting(**more)]
    assert ["I6"] == found(a_ledger(a_reply("n1", answer)), row, meetings=meetings)


@pytest.mark.parametrize(
    "numbers", [(1, 1), (1, 3), (2, 3), (1, None)], ids=["alike", "hole", "first", "none"]
)
def test_numbers_are_distinct_and_without_holes(numbers: tuple[int | None, ...]) -> None:
    last = max(number for number in numbers if number)
    meetings = [
        a_meeting(
            id=UUID(int=9 + place),
            uid=f"uid-{place}",
            slug=f"page-{place}",
            number=number,
            next_number=last + 1,
            taken=0,
        )
        for place, number in enumerate(numbers)
    ]

    assert ["I7"] == found(a_ledger(), meetings=meetings)


def test_a_number_is_for_life() -> None:
    later = replace(ENTRY, number=2)
    fetches = (Fetch("1", FEED, (ENTRY,)), Fetch("1", FEED, (later,)))

    assert ["I7"] == found(a_ledger(fetches=fetches), meetings=[a_meeting(taken=0)])


def test_a_session_is_read_as_a_calendar_spells_it_and_a_deadline_is_none() -> None:
    wanted = Entry("uid-1", "17-ag-klima", 3, "CANCELLED", "20270201T100000", 17)

    assert (wanted,) == ledger.read_entries(CALENDAR)
