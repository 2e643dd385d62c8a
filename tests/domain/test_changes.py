"""One test a row of the table "what a change does to answers"."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from service.domain import changes
from service.domain.changes import ChangeEffect, FieldChange, MeetingFacts, Tells
from service.domain.words import Mode, NoticeKind, Precision, State, Visibility

START = datetime(2027, 1, 21, 10, 0)  # noqa: DTZ001 (wall time)
CONFIRMED = MeetingFacts(
    state=State.CONFIRMED,
    title="17. Arbeitsgruppensitzung Klima",
    starts_local=START,
    ends_local=START + timedelta(hours=2),
    place_name="Rathaus",
    room="Saal 1",
    town="Erfurt",
)
TENTATIVE = replace(CONFIRMED, state=State.TENTATIVE)
CANCELLED = replace(CONFIRMED, state=State.CANCELLED)
POSTPONED = replace(CONFIRMED, state=State.POSTPONED, starts_local=None, ends_local=None)


def effect(before: MeetingFacts, after: MeetingFacts) -> dict[str, Any]:
    """Return the effect without the list of fields."""
    found = changes.diff(before, after)
    return {
        "asks_again": found.asks_again,
        "sequence": found.bumps_sequence,
        "time_rev": found.bumps_time_rev,
        "tells": found.tells,
        "notice": found.notice,
    }


def row(
    *, asks: bool, seq: bool, time: bool, tells: Tells, notice: NoticeKind | None
) -> dict[str, Any]:
    return {
        "asks_again": asks,
        "sequence": seq,
        "time_rev": time,
        "tells": tells,
        "notice": notice,
    }


def later(**span: int) -> MeetingFacts:
    by = timedelta(**span)
    return replace(CONFIRMED, starts_local=START + by, ends_local=START + by + timedelta(hours=2))


ASKS_ALL = row(asks=True, seq=True, time=True, tells=Tells.ALL, notice=NoticeKind.CHANGE)
KEEPS = row(asks=False, seq=True, time=True, tells=Tells.NOT_DECLINED, notice=NoticeKind.CHANGE)
ELSEWHERE = {**ASKS_ALL, "time_rev": False}
SAME_TOWN = {**KEEPS, "time_rev": False}


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(later(days=7), ASKS_ALL, id="other day"),
        pytest.param(later(minutes=60), ASKS_ALL, id="start by 60 minutes"),
        pytest.param(later(minutes=-60), ASKS_ALL, id="start 60 minutes earlier"),
        pytest.param(replace(CONFIRMED, town="Gotha"), ELSEWHERE, id="other town"),
        pytest.param(replace(CONFIRMED, mode=Mode.ONLINE), ELSEWHERE, id="on site to online"),
    ],
)
def test_a_change_of_substance_asks_everybody_again(
    after: MeetingFacts, expected: dict[str, Any]
) -> None:
    assert effect(CONFIRMED, after) == expected


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        pytest.param(later(minutes=59), KEEPS, id="start by 59 minutes"),
        pytest.param(
            replace(CONFIRMED, ends_local=START + timedelta(hours=3)), KEEPS, id="end only"
        ),
        pytest.param(replace(CONFIRMED, room="Saal 2"), SAME_TOWN, id="room"),
        pytest.param(replace(CONFIRMED, place_name="IHK"), SAME_TOWN, id="house"),
        pytest.param(replace(CONFIRMED, online_url="https://v.example.org"), SAME_TOWN, id="link"),
        pytest.param(replace(CONFIRMED, mode=Mode.HYBRID), SAME_TOWN, id="online as well"),
        pytest.param(replace(CONFIRMED, town="ERFURT "), SAME_TOWN, id="the town's spelling"),
    ],
)
def test_a_smaller_change_keeps_the_answers_and_tells_who_has_not_declined(
    after: MeetingFacts, expected: dict[str, Any]
) -> None:
    assert effect(CONFIRMED, after) == expected


@pytest.mark.parametrize(
    "after",
    [
        replace(CONFIRMED, title="17. Sitzung"),
        replace(CONFIRMED, description="Neu"),
        replace(CONFIRMED, agenda="TOP 1"),
        replace(CONFIRMED, capacity=20),
        replace(CONFIRMED, answer_by_local=START - timedelta(days=7)),
        replace(CONFIRMED, visibility=Visibility.INTERNAL),
    ],
)
def test_texts_and_limits_change_nothing_for_answers_and_calendars(after: MeetingFacts) -> None:
    expected = row(asks=False, seq=False, time=False, tells=Tells.NONE, notice=None)

    assert effect(CONFIRMED, after) == expected


def test_confirming_at_the_same_time_keeps_answers_and_says_that_the_date_stands() -> None:
    expected = row(asks=False, seq=True, time=False, tells=Tells.ALL, notice=NoticeKind.CONFIRMED)

    assert effect(TENTATIVE, CONFIRMED) == expected


def test_a_tentative_date_that_slides_moves_calendars_and_mails_nobody() -> None:
    slid = replace(later(days=7), state=State.TENTATIVE)
    expected = row(asks=True, seq=True, time=True, tells=Tells.NONE, notice=None)

    assert effect(TENTATIVE, slid) == expected


def test_postponing_freezes_the_answers_and_tells_everybody() -> None:
    expected = row(asks=False, seq=True, time=True, tells=Tells.ALL, notice=NoticeKind.POSTPONED)

    assert effect(CONFIRMED, POSTPONED) == expected


def test_cancelling_freezes_the_answers_and_tells_who_has_not_declined() -> None:
    expected = row(
        asks=False, seq=True, time=False, tells=Tells.NOT_DECLINED, notice=NoticeKind.CANCELLATION
    )

    assert effect(CONFIRMED, CANCELLED) == expected


def test_uncancelling_starts_reminders_afresh_and_keeps_the_answers() -> None:
    expected = row(
        asks=False, seq=True, time=True, tells=Tells.NOT_DECLINED, notice=NoticeKind.UNCANCELLATION
    )

    assert effect(CANCELLED, CONFIRMED) == expected


def test_uncancelling_on_another_day_asks_everybody_again() -> None:
    expected = row(
        asks=True, seq=True, time=True, tells=Tells.ALL, notice=NoticeKind.UNCANCELLATION
    )

    assert effect(CANCELLED, later(days=1)) == expected


def test_a_postponed_meeting_that_gets_a_firm_date_tells_everybody() -> None:
    expected = row(asks=False, seq=True, time=True, tells=Tells.ALL, notice=NoticeKind.CONFIRMED)

    assert effect(POSTPONED, later(days=30)) == expected


def test_a_postponed_meeting_that_gets_a_rough_date_mails_nobody() -> None:
    rough = replace(later(days=30), state=State.TENTATIVE, precision=Precision.DAY)
    expected = row(asks=False, seq=True, time=True, tells=Tells.NONE, notice=None)

    assert effect(POSTPONED, rough) == expected


def test_holding_is_no_news_for_anybody() -> None:
    held = replace(CONFIRMED, state=State.HELD)
    expected = row(asks=False, seq=False, time=False, tells=Tells.NONE, notice=None)

    assert effect(CONFIRMED, held) == expected


def test_a_draft_published_as_confirmed_invites_and_starts_at_sequence_nought() -> None:
    draft = replace(CONFIRMED, state=State.DRAFT)
    expected = row(asks=False, seq=False, time=False, tells=Tells.ALL, notice=NoticeKind.INVITATION)

    assert effect(draft, CONFIRMED) == expected


def test_a_draft_published_as_tentative_mails_nobody() -> None:
    draft = replace(CONFIRMED, state=State.DRAFT)

    assert changes.diff(draft, TENTATIVE).notice is None


def test_no_change_has_no_effect() -> None:
    assert changes.diff(CONFIRMED, CONFIRMED) == ChangeEffect(fields=())


def test_the_effect_names_each_field_with_its_old_and_new_value() -> None:
    found = changes.diff(CONFIRMED, replace(CONFIRMED, room="Saal 2", town="Gotha"))

    assert found.fields == (
        FieldChange("room", "Saal 1", "Saal 2"),
        FieldChange("town", "Erfurt", "Gotha"),
    )


def test_a_town_that_becomes_known_is_no_other_town() -> None:
    unknown = replace(CONFIRMED, town="")

    assert changes.diff(unknown, CONFIRMED).asks_again is False


def test_facts_survive_being_kept_as_plain_values() -> None:
    facts = replace(CONFIRMED, answer_by_local=START - timedelta(days=7), capacity=12)

    assert changes.from_json(changes.to_json(facts)) == facts
    assert changes.from_json(changes.to_json(POSTPONED)) == POSTPONED
