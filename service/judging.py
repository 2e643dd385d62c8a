"""Does a letter still hold at the moment it would leave? One pure decision per kind.

The answers are codes that the pages translate (`reason.<code>`).
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from service import obstacles, preferring
from service.domain import preferences, reminders
from service.domain.words import State
from service.obstacles import Region
from service.tables.reminder_statements import QUIET_HOURS

# A reminder that arrives while people are sitting down helps nobody.
LATEST_REMINDER = timedelta(minutes=5)
UNKNOWN = "kind_unknown"
"""Why a letter waits that a newer version has posted: that one may run again, or already does."""

# These try an address that does not work, one letter of them.
PROBES = frozenset({"cancellation", "change", "date_confirmed", "postponed", "uncancellation"})
_OPTIONAL = frozenset(preferences.TOPICS)
_TO_THE_OFFICE = frozenset({"hint_received", "probe", "ear", "reply_forwarded", "alarm"})
_OF_A_PERSON = frozenset({"lost_links", "digest"})
_OFF = frozenset({State.DRAFT, State.CANCELLED, State.HELD})

Row = Mapping[str, Any]


def judge(row: Row, now: datetime) -> str | None:
    """Return why the letter must not leave, or None when it holds.

    Of a kind that this version does not know nothing is said: it waits (`held_because`).
    """
    kind = row["kind"]
    if row["taken_back_because"] is not None:
        return str(row["taken_back_because"])
    if kind in _TO_AN_ACCOUNT:
        return _TO_AN_ACCOUNT[kind](row, now)
    if kind in _TO_THE_OFFICE or kind not in KINDS:
        return None
    if row["person_email"] is None or row["person_is_gone"]:
        return "no_address"
    refusal = _judge_wishes(row, now)
    if refusal is not None or kind in _OF_A_PERSON:
        return refusal
    return _judge_invited(row) or _BY_KIND[kind](row, now)


def held_because(row: Row) -> str | None:
    """Return why the letter waits for somebody; None when it does not.

    Somebody who complained gets no reminders; date, place and cancellation always go. An address
    that does not work is tried once by what spares somebody the way: it costs one refusal.
    """
    kind, state = row["kind"], row["address_state"]
    if kind not in KINDS:
        return UNKNOWN
    if state == "blocked":
        return "blocked" if kind in _OPTIONAL else None
    if state != "undeliverable" or kind in _TO_THE_OFFICE:
        return None
    may_try = kind in PROBES and row["probe_letter_id"] in {None, row["id"]}
    return None if may_try else "undeliverable"


def waits_because(row: Row, now: datetime) -> str | None:
    """Return why the letter waits for an hour; None when it may leave now.

    A reminder that could not leave in time does not arrive at night, but for those that count
    minutes, and where it would be of no use in the morning. By hand it leaves at any hour.
    """
    if row["waits_at_most"] is None:
        return None
    region = Region(row["holiday_country"] or "DE", row["holiday_subdivision"] or "TH")
    until = reminders.waits_until(
        row["created_at"],
        now,
        row["waits_at_most"],
        row["office_zone"],
        obstacles.is_holiday(region),
    )
    return None if until is None else QUIET_HOURS


def _judge_test(row: Row, _: datetime) -> str | None:
    if row["account_email"] is None or row["disabled_at"] is not None:
        return "no_access"
    # What it said is forgotten some time after it left.
    return None if row["cause"].get("subject") else "gone"


def _judge_sign_in(row: Row, _: datetime) -> str | None:
    if row["account_email"] is None or row["disabled_at"] is not None:
        return "no_access"
    if row["token_id"] is None or row["used_at"] is not None or row["replaced_at"] is not None:
        return "replaced"
    return "expired" if row["token_is_old"] else None


def _judge_summary(row: Row, now: datetime) -> str | None:
    """Let it leave to whoever still works with the session, and still wants it."""
    if row["account_email"] is None or not row["account_works"]:
        return "no_access"
    if row["meeting_state"] is None:
        return "gone"
    if not row["summaries"]:
        return "unsubscribed"
    return _must_take_place(row, now) or _same_time(row)


def _judge_wishes(row: Row, now: datetime) -> str | None:
    """Look at what the person wants at this moment, whenever the letter was queued."""
    wished = preferring.read(row)
    refusal = preferences.refusal(wished, row["kind"], now, row["office_zone"])
    if refusal is None and row["kind"] == "reminder" and wished.own_times is not None:
        # They may have been chosen after the letter was queued.
        return None if row["is_choice"] else "own_times"
    return None if refusal is None else refusal.value


def _judge_invited(row: Row) -> str | None:
    if row["meeting_state"] is None or row["invitation_state"] is None:
        return "gone"
    if row["invitation_state"] == "uninvited" and row["kind"] != "uninvited":
        return "uninvited"
    return None


def _must_take_place(row: Row, now: datetime) -> str | None:
    state = row["meeting_state"]
    return _started(row, now) if state == State.CONFIRMED else f"meeting_{state}"


def _started(row: Row, now: datetime) -> str | None:
    return "started" if row["starts_at"] is not None and row["starts_at"] <= now else None


def _judge_reminder(row: Row, now: datetime) -> str | None:
    standing = _must_take_place(row, now) or _same_time(row)
    if standing is not None:
        return standing
    if row["bucket"] == "declined":
        return "declined"
    wanted = row["rule_audience"] or ("accepted", "undecided")
    if row["bucket"] not in wanted and not ("lead" in wanted and row["leads"]):
        return "answer_changed"
    return "too_late" if row["starts_at"] - now < LATEST_REMINDER else _too_many(row)


def _judge_nudge(row: Row, now: datetime) -> str | None:
    standing = _must_take_place(row, now) or _same_time(row)
    if standing is not None:
        return standing
    is_open = row["bucket"] == "no_answer" and row["answer"] != "declined"
    return _too_many(row) if is_open else "answered"


def _too_many(row: Row) -> str | None:
    return "too_many" if row["reminders_before"] >= reminders.MOST_A_DAY else None


def _same_time(row: Row) -> str | None:
    return None if row["time_rev"] == row["meeting_time_rev"] else "moved"


def _judge_change(row: Row, now: datetime) -> str | None:
    if row["meeting_state"] in {State.CONFIRMED, State.TENTATIVE}:
        return _is_no_news(row, now)
    return f"meeting_{row['meeting_state']}"


def _judge_uncancellation(row: Row, now: datetime) -> str | None:
    """Let it leave wherever the meeting came back to: a date, a likely one, or none yet."""
    state = row["meeting_state"]
    return f"meeting_{state}" if state in _OFF else _is_no_news(row, now)


def _is_no_news(row: Row, now: datetime) -> str | None:
    """Say that it has begun, but while another day of several is to come."""
    until = row["news_until"]
    return "started" if until is not None and until <= now else None


def _judge_cancellation(row: Row, _: datetime) -> str | None:
    return None if row["meeting_state"] == State.CANCELLED else "taken_back"


def _judge_postponed(row: Row, _: datetime) -> str | None:
    return None if row["meeting_state"] == State.POSTPONED else "taken_back"


def _judge_uninvited(row: Row, _: datetime) -> str | None:
    return None if row["invitation_state"] == "uninvited" else "taken_back"


def _judge_receipt(row: Row, _: datetime) -> str | None:
    wanted = row["cause"].get("answer_rev", row["answer_rev"])
    return None if wanted == row["answer_rev"] else "replaced"


_TO_AN_ACCOUNT: Mapping[str, Callable[[Row, datetime], str | None]] = {
    "sign_in": _judge_sign_in,
    "test": _judge_test,
    "summary": _judge_summary,
}


def _judge_removal(row: Row, _: datetime) -> str | None:
    return None if row["answer"] == "declined" else "answer_changed"


_BY_KIND: Mapping[str, Callable[[Row, datetime], str | None]] = {
    "invitation": _must_take_place,
    "date_confirmed": _must_take_place,
    "reminder": _judge_reminder,
    "nudge": _judge_nudge,
    "change": _judge_change,
    "cancellation": _judge_cancellation,
    "postponed": _judge_postponed,
    "uncancellation": _judge_uncancellation,
    "uninvited": _judge_uninvited,
    "receipt": _judge_receipt,
    "answer_differs": _must_take_place,
    "entry_removed": _judge_removal,
}

KINDS = frozenset({*_TO_AN_ACCOUNT, *_TO_THE_OFFICE, *_OF_A_PERSON, *_BY_KIND})
"""All kinds of letters, and of the parts of one, that this version can judge."""
