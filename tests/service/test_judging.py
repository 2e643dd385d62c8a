"""Whether a letter still holds: one row of the table for each kind and reason."""

from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from service import judging
from service.pages.catalogue import LOCALES, texts

NOW = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
YESTERDAY = NOW.date() - timedelta(days=1)
STARTS = NOW + timedelta(days=17)
GOOD: dict[str, Any] = {
    "meeting_state": "confirmed",
    "meeting_time_rev": 2,
    "time_rev": 2,
    "starts_at": STARTS,
    "news_until": STARTS,
    "invitation_state": "invited",
    "answer": None,
    "answer_rev": 0,
    "bucket": "no_answer",
    "rule_audience": None,
    "cause": {},
    "person_email": "mira@example.org",
    "person_is_gone": False,
    "taken_back_because": None,
    "account_email": "buero@example.org",
    "disabled_at": None,
    "token_id": 1,
    "used_at": None,
    "replaced_at": None,
    "token_is_old": False,
    "address_state": None,
    "reminders": None,
    "office_zone": "Europe/Berlin",
    "reminders_before": 0,
}
WISHES: dict[str, Any] = {
    "reminders": True,
    "nudges": True,
    "papers": True,
    "digest": False,
    "digest_only": False,
    "paused_until": None,
    "has_own_times": False,
    "own_days": [],
    "own_at": None,
    "own_minutes": [],
    "text_only": False,
    "no_calendar": False,
    "is_choice": None,
}
OWN_TIMES: dict[str, Any] = {"has_own_times": True, "own_days": [1], "own_at": time(9)}
# What makes a letter of this kind hold, where it differs from the above.
KINDS: dict[str, dict[str, Any]] = {
    "invitation": {},
    "date_confirmed": {},
    "change": {},
    "uncancellation": {},
    "cancellation": {"meeting_state": "cancelled"},
    "postponed": {"meeting_state": "postponed", "starts_at": None, "news_until": None},
    "uninvited": {"invitation_state": "uninvited"},
    "nudge": {},
    "reminder": {"bucket": "accepted", "answer": "online"},
    "receipt": {"answer": "online", "answer_rev": 1, "cause": {"answer_rev": 1}},
    "answer_differs": {},
    "entry_removed": {"answer": "declined"},
    "lost_links": {},
    "digest": {**WISHES, "digest": True},
    "hint_received": {},
    "probe": {},
    "ear": {},
    "reply_forwarded": {},
    "alarm": {},
    "sign_in": {},
    "test": {"cause": {"subject": "Neuer Termin"}},
}
ABOUT_MEETINGS = (
    "invitation",
    "date_confirmed",
    "change",
    "uncancellation",
    "cancellation",
    "postponed",
    "uninvited",
    "nudge",
    "reminder",
    "receipt",
    "answer_differs",
    "entry_removed",
)
TO_PERSONS = (*ABOUT_MEETINGS, "lost_links", "digest")
MUST_KNOW = tuple(kind for kind in ABOUT_MEETINGS if kind not in {"nudge", "reminder"})
GATHERING = ("invitation", "date_confirmed", "nudge", "reminder", "answer_differs")

Case = tuple[tuple[str, ...], dict[str, Any], str | None]
CASES: tuple[Case, ...] = (
    (tuple(KINDS), {}, None),
    (TO_PERSONS, {"person_email": None}, "no_address"),
    (ABOUT_MEETINGS, {"taken_back_because": "superseded"}, "superseded"),
    (TO_PERSONS, {"person_is_gone": True}, "no_address"),
    (ABOUT_MEETINGS, {"meeting_state": None}, "gone"),
    (ABOUT_MEETINGS, {"invitation_state": None}, "gone"),
    (
        tuple(kind for kind in ABOUT_MEETINGS if kind != "uninvited"),
        {"invitation_state": "uninvited"},
        "uninvited",
    ),
    (("uninvited",), {"invitation_state": "invited"}, "taken_back"),
    ((*GATHERING, "change", "uncancellation"), {"meeting_state": "cancelled"}, "meeting_cancelled"),
    ((*GATHERING, "change"), {"meeting_state": "postponed"}, "meeting_postponed"),
    (GATHERING, {"meeting_state": "tentative"}, "meeting_tentative"),
    ((*GATHERING, "change", "uncancellation"), {"meeting_state": "held"}, "meeting_held"),
    (("change", "uncancellation"), {"meeting_state": "tentative"}, None),
    (
        ("uncancellation",),
        {"meeting_state": "postponed", "starts_at": None, "news_until": None},
        None,
    ),
    (("cancellation",), {"meeting_state": "confirmed"}, "taken_back"),
    (("postponed",), {"meeting_state": "confirmed"}, "taken_back"),
    ((*GATHERING, "change", "uncancellation"), {"starts_at": NOW, "news_until": NOW}, "started"),
    (("change", "uncancellation"), {"starts_at": NOW}, None),
    (("reminder",), {"starts_at": NOW + timedelta(minutes=4)}, "too_late"),
    (("reminder",), {"starts_at": NOW + timedelta(minutes=5)}, None),
    (("nudge", "reminder"), {"meeting_time_rev": 3}, "moved"),
    (("invitation", "change", "receipt"), {"meeting_time_rev": 3}, None),
    (("reminder",), {"bucket": "declined", "answer": "declined"}, "declined"),
    (("reminder",), {"bucket": "no_answer"}, "answer_changed"),
    (("reminder",), {"bucket": "undecided"}, None),
    (("reminder",), {"bucket": "undecided", "rule_audience": ["accepted"]}, "answer_changed"),
    (("nudge",), {"bucket": "accepted", "answer": "online"}, "answered"),
    (("nudge",), {"bucket": "undecided", "answer": "undecided"}, "answered"),
    (("nudge",), {"bucket": "no_answer", "answer": "online"}, None),
    (("nudge",), {"bucket": "no_answer", "answer": "declined"}, "answered"),
    (("nudge", "reminder"), {"reminders_before": 4}, None),
    (("nudge", "reminder"), {"reminders_before": 5}, "too_many"),
    (("invitation", "change"), {"reminders_before": 9}, None),
    (("reminder",), {**WISHES, "reminders": False}, "unsubscribed"),
    (("nudge",), {**WISHES, "nudges": False}, "unsubscribed"),
    (("reminder",), {**WISHES, **OWN_TIMES}, "own_times"),
    (("reminder",), {**WISHES, **OWN_TIMES, "is_choice": True}, None),
    (("nudge",), {**WISHES, **OWN_TIMES}, None),
    (("nudge", "reminder"), {**WISHES, "digest_only": True}, "digest_only"),
    (("digest",), {**WISHES, "digest_only": True}, None),
    (("digest",), {**WISHES, "digest": False}, "unsubscribed"),
    (("nudge", "reminder"), {**WISHES, "paused_until": NOW.date()}, "paused"),
    (("nudge", "reminder"), {**WISHES, "paused_until": YESTERDAY}, None),
    # There it is still yesterday.
    (
        ("nudge", "reminder"),
        {**WISHES, "paused_until": YESTERDAY, "office_zone": "Pacific/Pago_Pago"},
        "paused",
    ),
    (MUST_KNOW, {**WISHES, "reminders": False, "paused_until": NOW.date()}, None),
    (("receipt",), {"answer_rev": 2}, "replaced"),
    (("receipt",), {"cause": {}}, None),
    (("entry_removed",), {"answer": "online"}, "answer_changed"),
    (("entry_removed",), {"answer": None}, "answer_changed"),
    (("sign_in", "test"), {"account_email": None}, "no_access"),
    (("sign_in", "test"), {"disabled_at": NOW}, "no_access"),
    (("test",), {"cause": {}}, "gone"),
    (("sign_in",), {"token_id": None}, "replaced"),
    (("sign_in",), {"used_at": NOW}, "replaced"),
    (("sign_in",), {"replaced_at": NOW}, "replaced"),
    (("sign_in",), {"token_is_old": True}, "expired"),
)


def _name(case: tuple[str, dict[str, Any], str | None]) -> str:
    kind, differs, reason = case
    return f"{kind}-{'-'.join(differs)}-{reason}"


@pytest.mark.parametrize(
    "case",
    [(kind, differs, reason) for kinds, differs, reason in CASES for kind in kinds],
    ids=_name,
)
def test_a_letter_leaves_only_while_it_is_true(
    case: tuple[str, dict[str, Any], str | None],
) -> None:
    kind, differs, reason = case

    assert reason == judging.judge({**GOOD, **KINDS[kind], "kind": kind, **differs}, NOW)


@pytest.mark.parametrize(
    ("kind", "state", "is_held"),
    [
        ("invitation", None, False),
        ("invitation", "ok", False),
        ("invitation", "soft", False),
        ("invitation", "undeliverable", True),
        ("receipt", "undeliverable", True),
        ("reminder", "undeliverable", True),
        ("cancellation", "undeliverable", False),
        ("change", "undeliverable", False),
        ("postponed", "undeliverable", False),
        ("probe", "undeliverable", False),
        ("invitation", "blocked", False),
        ("change", "blocked", False),
        ("cancellation", "blocked", False),
        ("reminder", "blocked", True),
        ("nudge", "blocked", True),
    ],
)
def test_addresses_that_do_not_work_are_tried_by_what_spares_the_way(
    kind: str, state: str | None, *, is_held: bool
) -> None:
    row = {"kind": kind, "address_state": state, "probe_letter_id": None, "id": 1}

    assert is_held is (judging.held_because(row) is not None)


def test_only_one_letter_tries_an_address_that_does_not_work() -> None:
    row = {"kind": "change", "address_state": "undeliverable", "probe_letter_id": 1}

    found = [judging.held_because(row | {"id": one}) for one in (1, 2)]

    assert [None, "undeliverable"] == found


NIGHT = datetime(2027, 1, 5, 2, 0, tzinfo=UTC)
"""Three in the morning, in Erfurt."""


@pytest.mark.parametrize(
    ("of_its_own", "reason"),
    [
        ({}, "quiet_hours"),
        ({"created_at": NIGHT - timedelta(minutes=15)}, None),
        # A rule of minutes, the office's own press, and all other kinds of letters.
        ({"waits_at_most": None}, None),
        # It would be of no use at seven.
        ({"waits_at_most": NIGHT + timedelta(hours=4)}, None),
        ({"waits_at_most": NIGHT + timedelta(hours=4, seconds=1)}, "quiet_hours"),
        ({"office_zone": "America/New_York"}, "quiet_hours"),
        ({"office_zone": "Asia/Tokyo"}, None),
    ],
)
def test_a_reminder_that_could_not_leave_in_time_waits_for_the_morning(
    of_its_own: dict[str, Any], reason: str | None
) -> None:
    row = {
        "created_at": NIGHT - timedelta(hours=10),
        "waits_at_most": NIGHT + timedelta(days=1),
        "office_zone": "Europe/Berlin",
        "holiday_country": None,
        "holiday_subdivision": None,
    }

    assert reason == judging.waits_because(row | of_its_own, NIGHT)


@pytest.mark.parametrize("locale", LOCALES)
def test_every_reason_is_said_in_words(locale: str) -> None:
    reasons = {reason for _, _, reason in CASES if reason}

    assert set() == {reason for reason in reasons if not texts(locale).has(f"reason.{reason}")}
