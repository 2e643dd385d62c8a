from datetime import UTC, date, datetime, timedelta

import pytest

from service.domain import preferences
from service.domain.preferences import Preferences, Refusal, Topic

ZONE = "Europe/Berlin"
NOW = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
ALWAYS = ("invitation", "date_confirmed", "change", "postponed", "cancellation", "uncancellation",
    "uninvited", "receipt", "sign_in", "lost_links")  # fmt: skip
OFF = Preferences(reminders=False, nudges=False, papers=False, paused_until=date(2027, 2, 1))


@pytest.mark.parametrize("kind", ALWAYS)
def test_what_an_invited_person_has_to_know_goes_whatever_is_switched_off(kind: str) -> None:
    assert None is preferences.refusal(OFF, kind, NOW, ZONE)


@pytest.mark.parametrize(
    ("kind", "wished", "expected"),
    [
        ("reminder", Preferences(), None),
        ("nudge", Preferences(), None),
        ("papers", Preferences(), None),
        ("digest", Preferences(), Refusal.UNSUBSCRIBED),
        ("reminder", Preferences(reminders=False), Refusal.UNSUBSCRIBED),
        ("nudge", Preferences(reminders=False), None),
        ("nudge", Preferences(nudges=False), Refusal.UNSUBSCRIBED),
        ("papers", Preferences(papers=False), Refusal.UNSUBSCRIBED),
        ("digest", Preferences(digest=True), None),
        ("reminder", Preferences(digest=True), None),
        ("digest", Preferences(digest_only=True), None),
        ("reminder", Preferences(digest_only=True), Refusal.DIGEST_ONLY),
        ("nudge", Preferences(digest_only=True), Refusal.DIGEST_ONLY),
        ("papers", Preferences(digest_only=True), Refusal.DIGEST_ONLY),
        ("reminder", Preferences(paused_until=date(2027, 1, 4)), Refusal.PAUSED),
        ("reminder", Preferences(paused_until=date(2027, 1, 3)), None),
        ("digest", Preferences(digest=True, paused_until=date(2027, 1, 9)), Refusal.PAUSED),
    ],
)
def test_a_letter_goes_as_the_person_wishes(
    kind: str, wished: Preferences, expected: Refusal | None
) -> None:
    assert expected == preferences.refusal(wished, kind, NOW, ZONE)


@pytest.mark.parametrize(("zone", "last"), [(ZONE, 22), ("Europe/Helsinki", 21), ("UTC", 23)])
def test_a_pause_ends_at_midnight_where_the_office_is(zone: str, last: int) -> None:
    wished = Preferences(paused_until=date(2027, 1, 4))
    ending = NOW.replace(hour=last, minute=59)

    paused = [
        preferences.is_paused(wished, at, zone) for at in (ending, ending + timedelta(minutes=1))
    ]

    assert [True, False] == paused


@pytest.mark.parametrize("topic", list(Topic))
def test_one_topic_is_switched_off_and_nothing_else_changes(topic: Topic) -> None:
    everything = Preferences(digest=True)

    left = preferences.without(everything, topic)

    assert {one for one in Topic if not left.wants(one)} == {topic}
    assert left == preferences.without(left, topic)


def test_who_gives_up_the_weekly_letter_gets_no_single_ones_instead() -> None:
    left = preferences.without(Preferences(digest_only=True), Topic.DIGEST)

    assert [] == [topic for topic in Topic if left.wants(topic)]


def test_a_pause_outlives_the_end_of_everything() -> None:
    assert date(2027, 2, 1) == preferences.without_all(OFF).paused_until
