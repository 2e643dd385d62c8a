from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain import changes, overrides, replies
from service.domain.changes import MeetingFacts, Tells
from service.domain.overrides import Overrides, Place
from service.domain.replies import GivenFor
from service.domain.words import Answer, Mode, NoticeKind, State, Verdict

NOW = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
START = datetime(2027, 1, 21, 10, 0)  # noqa: DTZ001 (wall time)
FIRST = MeetingFacts(
    state=State.CONFIRMED,
    title="17. Arbeitsgruppensitzung Klima",
    starts_local=START,
    ends_local=START + timedelta(hours=2),
    mode=Mode.ON_SITE,
    town="Erfurt",
)
SECOND = replace(FIRST, starts_local=START + timedelta(days=7))
THIRD = replace(FIRST, starts_local=START + timedelta(days=14))
GOTHA = replace(FIRST, town="Gotha")


def after(*steps: tuple[MeetingFacts, MeetingFacts, Verdict | None]) -> Overrides:
    """Return what the office said after changes, an hour apart, the first at NOW."""
    said = overrides.NONE
    for hours, (old, new, verdict) in enumerate(steps):
        at = NOW + timedelta(hours=hours)
        said = overrides.add(said, overrides.place(old), overrides.place(new), verdict, at)
    return said


def given(meeting: MeetingFacts, hours: int = -1, answer: Answer = Answer.IN_PERSON) -> GivenFor:
    """Return an answer to this state of things, so many hours after the first change."""
    return GivenFor(
        starts_local=meeting.starts_local,
        mode=meeting.mode,
        town=meeting.town,
        answer=answer,
        answered_at=NOW + timedelta(hours=hours),
    )


@pytest.mark.parametrize("new", [SECOND, GOTHA, replace(GOTHA, mode=Mode.HYBRID)])
def test_answers_that_are_kept_hold_after_the_change(new: MeetingFacts) -> None:
    said = after((FIRST, new, Verdict.KEEP))

    assert replies.still_holds(given(FIRST), new, said) is True


def test_kept_answers_do_not_hold_for_a_further_change_that_asks() -> None:
    said = after((FIRST, SECOND, Verdict.KEEP), (SECOND, THIRD, None))

    assert replies.still_holds(given(FIRST), THIRD, said) is False


def test_kept_twice_is_kept_from_the_first_to_the_last() -> None:
    said = after((FIRST, SECOND, Verdict.KEEP), (SECOND, THIRD, Verdict.KEEP))

    assert replies.still_holds(given(FIRST), THIRD, said) is True


def test_kept_answers_hold_again_when_the_session_comes_back() -> None:
    said = after((FIRST, SECOND, Verdict.KEEP), (SECOND, THIRD, None), (THIRD, SECOND, None))

    assert replies.still_holds(given(FIRST), SECOND, said) is True


def test_where_the_table_asks_later_a_former_word_on_the_same_change_ends() -> None:
    said = after((FIRST, SECOND, Verdict.KEEP), (SECOND, FIRST, None), (FIRST, SECOND, None))

    assert replies.still_holds(given(FIRST), SECOND, said) is False


def test_a_way_that_is_not_offered_any_more_never_holds() -> None:
    online = replace(FIRST, mode=Mode.ONLINE)
    said = after((FIRST, online, Verdict.KEEP))
    holding = [
        replies.still_holds(given(FIRST, answer=answer), online, said)
        for answer in (Answer.IN_PERSON, Answer.DECLINED)
    ]

    assert [False, True] == holding


def test_who_is_asked_again_answers_afresh_though_nothing_moved() -> None:
    new = replace(FIRST, room="Saal 2")
    said = after((FIRST, new, Verdict.ASK))

    assert replies.still_holds(given(FIRST), new, said) is False
    assert replies.still_holds(given(new, hours=1), new, said) is True


def test_asking_again_ends_what_was_kept_before() -> None:
    said = after((FIRST, SECOND, Verdict.KEEP), (SECOND, SECOND, Verdict.ASK))

    assert Overrides((), NOW + timedelta(hours=1)) == said


def test_overrides_survive_being_kept_as_plain_values() -> None:
    undated = Place(None, Mode.ONLINE, "")
    said = after((FIRST, SECOND, Verdict.KEEP))
    said = overrides.add(said, overrides.place(SECOND), undated, Verdict.KEEP, NOW)
    row = {"kept_answers": overrides.to_json(said), "asked_again_at": NOW}

    assert replace(said, asked_at=NOW) == overrides.read(row)


@pytest.mark.parametrize(
    ("new", "verdict", "asks", "tells", "notice"),
    [
        (SECOND, Verdict.KEEP, False, Tells.NOT_DECLINED, NoticeKind.CHANGE),
        (SECOND, Verdict.ASK, True, Tells.ALL, NoticeKind.CHANGE),
        (replace(FIRST, room="Saal 2"), Verdict.ASK, True, Tells.ALL, NoticeKind.CHANGE),
        (replace(FIRST, agenda="1. Neu"), Verdict.ASK, True, Tells.ALL, NoticeKind.CHANGE),
        (replace(FIRST, agenda="1. Neu"), Verdict.KEEP, False, Tells.NONE, None),
    ],
)
def test_letters_follow_what_the_office_says(
    new: MeetingFacts,
    verdict: Verdict,
    asks: bool,  # noqa: FBT001 - a row of the table
    tells: Tells,
    notice: NoticeKind | None,
) -> None:
    effect = changes.diff(FIRST, new, verdict)

    assert (asks, tells, notice) == (effect.asks_again, effect.tells, effect.notice)


def test_a_postponed_session_asks_nobody_whatever_is_said() -> None:
    postponed = replace(FIRST, state=State.POSTPONED, starts_local=None, ends_local=None)

    assert changes.diff(FIRST, postponed, Verdict.ASK).asks_again is False


@pytest.mark.parametrize(
    ("said", "since", "verdict"),
    [
        (after((FIRST, SECOND, Verdict.KEEP)), NOW, Verdict.KEEP),
        (after((FIRST, SECOND, Verdict.ASK)), NOW, Verdict.ASK),
        (after((FIRST, SECOND, Verdict.ASK)), NOW + timedelta(minutes=1), None),
        (overrides.NONE, NOW, None),
    ],
)
def test_several_changes_together_keep_the_word_on_them(
    said: Overrides, since: datetime, verdict: Verdict | None
) -> None:
    places = overrides.place(FIRST), overrides.place(SECOND)

    assert verdict is overrides.verdict_since(said, *places, since)
