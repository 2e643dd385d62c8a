"""Say a reminder rule in words, and read one from what was typed."""

from collections.abc import Mapping
from datetime import time

from service.domain.reminders import (
    COMING,
    QUIET_FROM,
    QUIET_TO,
    WEEK_DAYS,
    Anchor,
    Audience,
    Kind,
    Rule,
)
from service.pages import dates
from service.pages.catalogue import texts
from service.web.forms import Field, Form

# Half a year ahead is as far as anybody reminds; a day of minutes as long as anybody counts them.
RANGES: Mapping[str, tuple[int, int]] = {
    "working_days": (0, WEEK_DAYS - 1),
    "weeks": (1, 26),
    "days": (WEEK_DAYS + 1, 180),
    "minutes": (1, 1440),
}
_MOST_DAYS_INVITED = 60
# How many days a look at what a rule would change reaches.
LOOK_DAYS = ("30", "7", "90")
# What somebody can choose: the kind of letter, who gets it, and whether only those online.
WHOM: Mapping[str, tuple[Kind, tuple[Audience, ...], bool]] = {
    "no_answer": (Kind.NUDGE, (Audience.NO_ANSWER,), False),
    "coming": (Kind.REMINDER, COMING, False),
    "accepted": (Kind.REMINDER, (Audience.ACCEPTED,), False),
    "undecided": (Kind.REMINDER, (Audience.UNDECIDED,), False),
    "online": (Kind.REMINDER, (Audience.ACCEPTED,), True),
    "lead": (Kind.REMINDER, (Audience.LEAD,), False),
    "office": (Kind.SUMMARY, (Audience.OFFICE,), False),
}
# A rule of another making keeps its audience.
KEPT = "kept"


def say(rule: Rule, locale: str) -> str:
    """Return the rule as one phrase: when, and to whom."""
    t = texts(locale).t
    parts = [say_when(rule, locale), _say_whom(rule, locale)]
    if rule.min_days_invited:
        parts.append(t("rules.min_days_words", n=rule.min_days_invited))
    return ", ".join(parts)


def say_choice(rule: Rule, locale: str) -> str:
    """Return a time that people chose for themselves as one phrase."""
    return texts(locale).t("rules.own_choice", when=say_when(rule, locale))


def fields(known: Rule | None) -> tuple[Field, ...]:
    """Return the form's fields for a new rule, or for one that is changed."""
    return (
        Field("revision", "number"),
        Field("action"),
        Field("audience", "choice", "rules.audience", required=True, choices=audiences(known)),
        Field("amount", "number", "rules.amount", required=True),
        Field("unit", "choice", "rules.unit", required=True, choices=tuple(RANGES)),
        Field("anchor", "choice", "rules.anchor", required=True, choices=anchors(known)),
        Field("at_time", "clock", "rules.at_time"),
        Field("min_days", "number", "rules.min_days"),
        Field("look_days", "choice", "rules.look_days", choices=LOOK_DAYS),
    )


def audiences(known: Rule | None) -> tuple[str, ...]:
    """Name who can be chosen; a nudge stays a nudge, and a reminder a reminder."""
    if known is None:
        return tuple(WHOM)
    same = tuple(name for name, whom in WHOM.items() if whom[0] is known.kind)
    return same if _name_of(known) in same else (*same, KEPT)


def anchors(known: Rule | None) -> tuple[str, ...]:
    """Name what can be counted from: after the start nothing leaves, so the end only stays."""
    choices = (Anchor.START.value, Anchor.ANSWER_BY.value)
    is_end = known is not None and known.anchor is Anchor.END
    return (*choices, Anchor.END.value) if is_end else choices


def typed_values(rule: Rule) -> dict[str, str | list[str]]:
    """Return a rule as a browser would send it."""
    unit, amount = _unit_of(rule)
    return {
        "audience": _name_of(rule),
        "amount": str(amount),
        "unit": unit,
        "anchor": rule.anchor.value,
        "at_time": f"{rule.at_local_time:%H:%M}" if rule.at_local_time else "",
        "min_days": str(rule.min_days_invited or ""),
    }


def read(form: Form, known: Rule | None) -> Rule | None:
    """Return what was typed as a rule; None when something is wrong, which the form then says."""
    _check(form)
    if not form.is_valid:
        return None
    kind, audience, only_online = _whom(form["audience"], known)
    is_minutes = form["unit"] == "minutes"
    days = form["amount"] * (WEEK_DAYS if form["unit"] == "weeks" else 1)
    return Rule(
        kind=kind,
        audience=audience,
        only_online=only_online,
        anchor=Anchor(form["anchor"]),
        days_before=None if is_minutes else days,
        at_local_time=None if is_minutes else form["at_time"],
        minutes_before=form["amount"] if is_minutes else None,
        min_days_invited=form["min_days"] or 0,
    )


def _check(form: Form) -> None:
    unit, amount = form.parsed.get("unit"), form.parsed.get("amount")
    if unit and amount is not None:
        least, most = RANGES[unit]
        if unit == "minutes" and _may_be_at_once(form):
            least = 0
        if not least <= amount <= most:
            form.refuse("amount", f"rules.err_amount_{unit}", least=least, most=most)
    at: time | None = form.parsed.get("at_time")
    if unit and unit != "minutes":
        if at is None:
            form.refuse("at_time", "err.required", field=form.label_of("at_time"))
        elif not QUIET_TO <= at < QUIET_FROM:
            form.refuse("at_time", "rules.err_quiet")
    days = form.parsed.get("min_days") or 0
    if not 0 <= days <= _MOST_DAYS_INVITED:
        form.refuse("min_days", "rules.err_min_days", most=_MOST_DAYS_INVITED)


def _may_be_at_once(form: Form) -> bool:
    """Tell whether no time before is fine: the office is told at the very end of the deadline."""
    is_deadline = form.parsed.get("anchor") == Anchor.ANSWER_BY
    return is_deadline and form.parsed.get("audience") == "office"


def _whom(name: str, known: Rule | None) -> tuple[Kind, tuple[Audience, ...], bool]:
    if name == KEPT and known is not None:
        return known.kind, known.audience, known.only_online
    return WHOM[name]


def _name_of(rule: Rule) -> str:
    found = (rule.kind, rule.audience, rule.only_online)
    return next((name for name, whom in WHOM.items() if whom == found), KEPT)


def _unit_of(rule: Rule) -> tuple[str, int]:
    if rule.minutes_before is not None:
        return "minutes", rule.minutes_before
    weeks, rest = divmod(rule.days_before or 0, WEEK_DAYS)
    if not weeks:
        return "working_days", rest
    return ("days", rule.days_before or 0) if rest else ("weeks", weeks)


def say_when(rule: Rule, locale: str) -> str:
    """Return when a rule falls due, in words."""
    t = texts(locale).t
    unit, amount = _unit_of(rule)
    before = t(f"rules.before_{rule.anchor}")
    if rule.at_local_time is None:
        if not amount and rule.anchor is Anchor.ANSWER_BY:
            return t("rules.at_answer_by")
        return t("rules.when_minutes", n=amount, before=before)
    clock = dates.format_clock(rule.at_local_time, locale)
    if not amount:
        return t(f"rules.same_day_{rule.anchor}", time=clock)
    return t(f"rules.when_{unit}", n=amount, before=before, time=clock)


def _say_whom(rule: Rule, locale: str) -> str:
    t = texts(locale).t
    name = _name_of(rule)
    if name != KEPT:
        return t(f"rules.to_{name}")
    who = ", ".join(t(f"audience.{each}") for each in rule.audience)
    return t("rules.to_kept_online" if rule.only_online else "rules.to_kept", who=who)
