"""What leaves in the next days, and what a rule would change about it: the office's preview."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Response

from service import foretelling, sampling
from service.domain import instants
from service.foretelling import (
    LONGEST,
    MOST,
    Difference,
    Foretelling,
    Foretold,
    SwitchableRule,
    Window,
)
from service.services import Services
from service.web import foretold_words, forms, respond, rule_words
from service.web.foretold_words import Batch
from service.web.forms import Field, Form
from service.web.mail_log import say_reason
from service.web.policy import Policy
from service.web.visitors import Visitor

FIELDS = (
    Field("von", kind="day", label="foretold.from"),
    Field("bis", kind="day", label="foretold.to"),
    Field("person", label="foretold.person", most=100),
    Field("regel", kind="id", label="foretold.rule"),
)
_TESTED = (Field("testmail", "flag"),)
_DAYS = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Look:
    """One look ahead; with a rule that is switched for once, what that changes."""

    found: Foretelling
    difference: Difference | None = None


@get("/buero/vorschau", opt={"policy": Policy.COORDINATOR})
async def show_preview(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Show what leaves in the wanted time, by day."""
    typed = forms.read_query(request, FIELDS)
    zone = ZoneInfo(visitor.furnishing.time_zone)
    rules = await foretelling.list_switchable(services.database, visitor.now)
    window = _window(typed, visitor.now, zone)
    rule = next((each for each in rules if each.id == typed.parsed.get("regel")), None)
    look = await _look(services, visitor, window, rule) if window else None
    return respond.page(
        services,
        visitor,
        "foretold/preview.html",
        form=typed,
        rules=[(str(each.id), _say(each, visitor)) for each in rules],
        is_filtered=any(typed.values.values()),
        most=MOST,
        is_tested=forms.read_query(request, _TESTED)["testmail"],
        can_test=sampling.KINDS,
        zone=zone,
        reason_text=say_reason(visitor),
        **_shown(look, typed, zone, visitor),
    )


def _window(typed: Form, now: datetime, zone: ZoneInfo) -> Window | None:
    """Return the wanted time; None when something is wrong with it, which the form then says."""
    today = now.astimezone(zone).date()
    first = typed.parsed.get("von") or today
    last = typed.parsed.get("bis") or first + _DAYS
    typed.values["von"] = typed.values["von"] or first.isoformat()
    typed.values["bis"] = typed.values["bis"] or last.isoformat()
    if first < today:
        typed.refuse("von", "foretold.err_past")
    elif last < first:
        typed.refuse("bis", "foretold.err_order", first=f"{first:%d.%m.%Y}")
    elif last > first + LONGEST:
        typed.refuse("bis", "foretold.err_long", n=LONGEST.days)
    if not typed.is_valid:
        return None
    return Window(max(_midnight(first, zone), now), _end_of(last, zone))


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return instants.to_utc(datetime.combine(day, time()), zone.key)


def _end_of(day: date, zone: ZoneInfo) -> datetime:
    return _midnight(day + timedelta(days=1), zone) - timedelta(microseconds=1)


async def _look(
    services: Services, visitor: Visitor, window: Window, rule: SwitchableRule | None
) -> Look:
    as_it_is = await foretelling.foretell(services, window)
    if rule is None:
        return Look(as_it_is)
    change = rule.switched(visitor.actor)
    then = await foretelling.foretell(services, window, change=change)
    return Look(then, foretelling.compare(as_it_is, then))


def _shown(look: Look | None, typed: Form, zone: ZoneInfo, visitor: Visitor) -> dict[str, Any]:
    """Return a look as the page shows it, for one person if one is wanted."""
    if look is None:
        return {
            "days": None,
            "total": 0,
            "is_cut": False,
            "stopped": (),
            "changes": None,
            "moved": (),
        }
    wanted = (typed.parsed.get("person") or "").casefold()
    letters, stopped = _of(look.found.letters, wanted), _of(look.found.stopped, wanted)
    changes = None
    moved: Sequence[tuple[datetime, Batch]] = ()
    if look.difference is not None:
        changes = {
            word: foretold_words.days(_of(those, wanted), zone, visitor.locale)
            for word, those in (("more", look.difference.more), ("less", look.difference.less))
        }
        moved = foretold_words.moves(_pairs_of(look.difference.moved, wanted), visitor.locale)
    return {
        "days": foretold_words.days(letters, zone, visitor.locale, stopped),
        "total": len(letters),
        "is_cut": look.found.is_cut,
        "stopped": stopped,
        "changes": changes,
        "moved": moved,
    }


def _of(letters: Sequence[Foretold], wanted: str) -> tuple[Foretold, ...]:
    return tuple(
        each
        for each in letters
        if wanted in each.name.casefold() or wanted in each.partner.casefold()
    )


def _pairs_of(
    moved: Sequence[tuple[Foretold, Foretold]], wanted: str
) -> list[tuple[Foretold, Foretold]]:
    return [(was, then) for was, then in moved if _of((then,), wanted)]


def _say(rule: SwitchableRule, visitor: Visitor) -> str:
    words = rule_words.say(rule.rule, visitor.locale)
    if rule.scope_name:
        words = visitor.t("foretold.rule_of_group", rule=words, group=rule.scope_name)
    return visitor.t("foretold.rule_off" if rule.is_enabled else "foretold.rule_on", rule=words)


ROUTES = [show_preview]
