"""Which letters a person wants: what can be switched off, and what always goes.

Whoever is invited is told of date, place and cancellation whatever is switched off; only
reminders, nudges, the weekly letter and papers are a matter of taste.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from enum import StrEnum

from service.domain import instants, reminders
from service.domain.reminders import Rule


class Topic(StrEnum):
    """What a person can switch off."""

    REMINDERS = "reminders"
    NUDGES = "nudges"
    DIGEST = "digest"
    PAPERS = "papers"


TOPICS: Mapping[str, Topic] = {
    "reminder": Topic.REMINDERS,
    "reminders": Topic.REMINDERS,
    "nudge": Topic.NUDGES,
    "digest": Topic.DIGEST,
    "papers": Topic.PAPERS,
}
"""The topic of each kind of letter that can be switched off; kinds not named here always go."""


class Refusal(StrEnum):
    """Why a letter does not go to a person now."""

    UNSUBSCRIBED = "unsubscribed"
    PAUSED = "paused"
    DIGEST_ONLY = "digest_only"


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnTimes:
    """When somebody wants to be reminded, instead of when the office planned it.

    `days` are days before at the hour `at`, `minutes` minutes before; one of both at least.
    """

    days: tuple[int, ...] = ()
    at: time = reminders.DAY_HOUR
    minutes: tuple[int, ...] = ()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The times as rules, the earliest first; raises ValueError for what nobody offers."""
        return reminders.own_rules(self.days, self.at, self.minutes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """What a person wants; the defaults are what everybody starts with.

    `digest_only` asks for the weekly letter instead of single reminders, nudges and papers.
    `paused_until` is the last day of a pause, None when there is none. `own_times` take the place
    of the planned reminders, never of nudges. `text_only` and `no_calendar` are about the looks of
    every letter: no HTML, no entry for the calendar.
    """

    reminders: bool = True
    nudges: bool = True
    papers: bool = True
    digest: bool = False
    digest_only: bool = False
    paused_until: date | None = None
    own_times: OwnTimes | None = None
    text_only: bool = False
    no_calendar: bool = False

    @property
    def gets_digest(self) -> bool:
        """Tell whether the weekly letter is wanted at all."""
        return self.digest or self.digest_only

    def wants(self, topic: Topic) -> bool:
        """Tell whether this is switched on, whatever a pause says."""
        return self.gets_digest if topic is Topic.DIGEST else bool(getattr(self, topic.value))


def refusal(wished: Preferences, kind: str, now: datetime, zone: str) -> Refusal | None:
    """Return why a letter of this kind must not go to the person now, or None when it goes.

    `zone` is the office's: a pause ends with a day of its calendar.
    """
    topic = TOPICS.get(kind)
    if topic is None:
        return None
    if not wished.wants(topic):
        return Refusal.UNSUBSCRIBED
    if is_paused(wished, now, zone):
        return Refusal.PAUSED
    if wished.digest_only and topic is not Topic.DIGEST:
        return Refusal.DIGEST_ONLY
    return None


def is_paused(wished: Preferences, now: datetime, zone: str) -> bool:
    """Tell whether a pause lasts at this instant; its last day counts, in the office's zone."""
    today = instants.to_local(now, zone).date()
    return wished.paused_until is not None and today <= wished.paused_until


def without(wished: Preferences, topic: Topic) -> Preferences:
    """Switch one topic off, and nothing else on.

    Whoever wanted the weekly letter instead of single ones gets neither afterwards.
    """
    match topic:
        case Topic.REMINDERS:
            return replace(wished, reminders=False)
        case Topic.NUDGES:
            return replace(wished, nudges=False)
        case Topic.PAPERS:
            return replace(wished, papers=False)
        case Topic.DIGEST:
            return without_all(wished) if wished.digest_only else replace(wished, digest=False)


SWITCHES = ("reminders", "nudges", "papers", "digest", "digest_only")
"""What is on or off; `without` and `without_all` turn only these."""


def taken(before: Preferences, after: Preferences) -> tuple[str, ...]:
    """Name the switches that a change turned off."""
    return tuple(one for one in SWITCHES if getattr(before, one) and not getattr(after, one))


def with_again(wished: Preferences, names: Collection[str]) -> Preferences:
    """Turn these switches on, whatever else is called so, and nothing off."""
    return replace(
        wished,
        reminders=wished.reminders or "reminders" in names,
        nudges=wished.nudges or "nudges" in names,
        papers=wished.papers or "papers" in names,
        digest=wished.digest or "digest" in names,
        digest_only=wished.digest_only or "digest_only" in names,
    )


def without_all(wished: Preferences) -> Preferences:
    """Switch off everything that can be switched off; a pause, times and looks stay."""
    return replace(
        wished, reminders=False, nudges=False, papers=False, digest=False, digest_only=False
    )
