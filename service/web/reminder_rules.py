"""Reminder rules on the web: what counts for everybody, for a group, for a session."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from service import foretelling, ruling, silencing
from service.domain.errors import NotFoundError, StaleFormError
from service.domain.reminders import Kind, Rule
from service.foretelling import Window
from service.pretending import Stage
from service.reminding import PlannedLetters
from service.ruling import EVERYBODY, KnownRule, RuleBook, Scope
from service.services import Services
from service.web import foretold_words, forms, respond, rule_words, stale
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

_FOR_ALL = "/buero/erinnerungen"
_NEARER = (
    "/buero/gruppe/{group_id:uuid}/erinnerungen",
    "/buero/termin/{meeting_id:uuid}/erinnerungen",
)
_SWITCH = (Field("on", "flag"), Field("revision", "number"))
_DONE = frozenset(
    {"saved", "added", "switched_on", "switched_off", "inherited", "silenced", "woken"}
)
_NEW: dict[str, str | list[str]] = {"unit": "working_days", "anchor": "start", "at_time": "09:00"}

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@dataclass(frozen=True, slots=True)
class ShownSlot:
    """One planned mailing beside what a change does to it: "new", "gone", or nothing."""

    words: str
    slot: PlannedLetters
    change: str = ""


async def show_rules(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what counts here, whose rule it is, and what is planned for a session."""
    book = await _open(request, services, visitor)
    query = forms.read_query(request, (Field("getan"), Field("testmail", "flag")))
    done = query["getan"]
    return respond.page(
        services,
        visitor,
        "reminders/rules.html",
        **_frame(request, visitor, book),
        slots=_slots(book, visitor),
        done=done if done in _DONE else None,
        is_silent=book.scope.group_id is not None and silencing.is_silent(book),
        can_silence=book.scope.group_id is not None and silencing.can_silence(book),
        is_tested=query["testmail"],
    )


async def show_rule(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show one rule for changing, or an empty form."""
    book = await _open(request, services, visitor)
    known = _meant(request, book)
    form = forms.empty(visitor, rule_words.fields(known.rule if known else None))
    form.values |= rule_words.typed_values(known.rule) if known else _NEW
    return _edit(request, services, visitor, book, form, known)


async def save_rule(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Save or add a rule, or show what it would change."""
    book = await _open(request, services, visitor)
    try:
        known = _meant(request, book)
    except NotFoundError:
        return await _show_gone(request, services, visitor, book)
    form = await forms.read(request, rule_words.fields(known.rule if known else None))
    rule = rule_words.read(form, known.rule if known else None)
    if rule is None:
        return _edit(request, services, visitor, book, form, known)
    if form["action"] == "preview":
        return await _preview(request, services, visitor, book, form, known, rule)
    try:
        await ruling.save_rule(
            *(services.database, visitor.actor, book.scope, rule, visitor.now),
            rule_id=known.id if known else None,
            is_enabled=known.is_enabled if known else True,
            seen_revision=form["revision"],
            authority=visitor.staff,
        )
    except StaleFormError as error:
        return await _show_stale(request, services, visitor, form, error)
    return _back(request, visitor, "saved" if known else "added")


async def switch_rule(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Switch a rule on or off."""
    form = await forms.read(request, _SWITCH)
    await ruling.switch_rule(
        *(services.database, visitor.actor, _scope(request)),
        request.path_params["rule_id"],
        visitor.now,
        is_enabled=form["on"],
        seen_revision=form["revision"],
        authority=visitor.staff,
    )
    return _back(request, visitor, "switched_on" if form["on"] else "switched_off")


async def show_inheriting(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what would count without the own rules."""
    book = await _open(request, services, visitor)
    if not book.has_own:
        return respond.see_other(visitor, _path(request))
    seen = await ruling.rehearse_inheriting(
        *(services.database, visitor.actor, book.scope, visitor.now), authority=visitor.staff
    )
    return respond.page(
        services,
        visitor,
        "reminders/inherit.html",
        **_frame(request, visitor, seen),
        slots=_compare(book, seen, visitor),
    )


async def inherit_rules(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Drop the own rules."""
    await ruling.inherit_rules(
        *(services.database, visitor.actor, _scope(request), visitor.now), authority=visitor.staff
    )
    return _back(request, visitor, "inherited")


def _scope(request: AnyRequest) -> Scope:
    found = request.path_params
    return Scope(group_id=found.get("group_id"), meeting_id=found.get("meeting_id"))


def _path(request: AnyRequest) -> str:
    """Return the path of the list."""
    scope = _scope(request)
    if scope.meeting_id is not None:
        return f"/buero/termin/{scope.meeting_id}/erinnerungen"
    return _FOR_ALL if scope == EVERYBODY else f"/buero/gruppe/{scope.group_id}/erinnerungen"


def _back(request: AnyRequest, visitor: Visitor, done: str) -> Page:
    return respond.see_other(visitor, f"{_path(request)}?getan={done}")


async def _open(request: AnyRequest, services: Services, visitor: Visitor) -> RuleBook:
    return await ruling.open_book(services.database, _scope(request), authority=visitor.staff)


def _meant(request: AnyRequest, book: RuleBook) -> KnownRule | None:
    """Return the rule of the address, None where one is added; raises `NotFoundError`."""
    rule_id: UUID | None = request.path_params.get("rule_id")
    return None if rule_id is None else book.find(rule_id)


def _frame(request: AnyRequest, visitor: Visitor, book: RuleBook) -> dict[str, Any]:
    """Return what every page of a scope needs."""
    scope = book.scope
    level = "session" if scope.meeting_id else "group" if scope.group_id else "everybody"
    return {
        "base": _path(request),
        "book": book,
        "level": level,
        "parts": [
            (kind, tuple(each for each in book.rules if each.rule.kind is kind))
            for kind in (Kind.NUDGE, Kind.REMINDER, Kind.SUMMARY)
        ],
        "say": lambda rule: rule_words.say(rule, visitor.locale),
    }


def _slots(book: RuleBook, visitor: Visitor) -> list[ShownSlot]:
    """Put words to what is planned; former rules are called by the kind of their letter.

    What was replaced by something newer is history that nobody plans with.
    """
    words = {each.id: rule_words.say(each.rule, visitor.locale) for each in book.rules}
    return [
        ShownSlot(_words(words, each, visitor), each)
        for each in book.slots
        if each.state != "cancelled"
    ]


def _words(words: Mapping[UUID, str], slot: PlannedLetters, visitor: Visitor) -> str:
    if slot.is_choice:
        return rule_words.say_choice(slot.rule, visitor.locale)
    return words.get(slot.rule_id, visitor.t(f"kind.{slot.kind}"))


def _compare(now: RuleBook, then: RuleBook, visitor: Visitor) -> list[ShownSlot]:
    """Return what would be planned, with what is new and what falls away, in order of time."""
    before, after = _slots(now, visitor), _slots(then, visitor)
    added = Counter(map(_key, after)) - Counter(map(_key, before))
    gone = Counter(map(_key, before)) - Counter(map(_key, after))
    marked = [*_marked(after, added, "new", keep=True), *_marked(before, gone, "gone", keep=False)]
    return sorted(marked, key=lambda each: each.slot.due_at)


def _marked(
    slots: Sequence[ShownSlot], changed: Counter[Any], change: str, *, keep: bool
) -> list[ShownSlot]:
    """Mark the changed ones; keep the others or leave them out."""
    found = []
    for each in slots:
        if changed[_key(each)] > 0:
            changed[_key(each)] -= 1
            # What was left out in the past changes nothing for anybody.
            is_open = each.slot.state == "planned"
            found.append(ShownSlot(each.words, each.slot, change if is_open else ""))
        elif keep:
            found.append(each)
    return found


def _key(shown: ShownSlot) -> tuple[Any, ...]:
    slot = shown.slot
    return slot.due_at, slot.kind, slot.audience, slot.state, slot.reason, slot.letters


def _edit(  # noqa: PLR0917 - a form and what it is about
    request: AnyRequest,
    services: Services,
    visitor: Visitor,
    book: RuleBook,
    form: Form,
    known: KnownRule | None,
    *,
    status: int = 200,
    **context: Any,
) -> Page:
    rule = known.rule if known else None
    said = {"slots": None, "shifts": None, "look_days": 0, "is_stale": False, **context}
    return respond.page(
        services,
        visitor,
        "reminders/rule.html",
        status,
        **_frame(request, visitor, book),
        form=form,
        known=known,
        audiences=rule_words.audiences(rule),
        anchors=rule_words.anchors(rule),
        units=tuple(rule_words.RANGES),
        look_choices=rule_words.LOOK_DAYS,
        longest_look=max(map(int, rule_words.LOOK_DAYS)),
        **said,
    )


async def _preview(  # noqa: PLR0917 - a form and what it is about
    request: AnyRequest,
    services: Services,
    visitor: Visitor,
    book: RuleBook,
    form: Form,
    known: KnownRule | None,
    rule: Rule,
) -> Page:
    """Show the form again, with what would be planned, and what leaves otherwise then."""
    now = visitor.now
    slots = None
    if book.scope.meeting_id is not None:
        seen = await ruling.rehearse_rule(
            *(services.database, visitor.actor, book.scope, rule, now),
            rule_id=known.id if known else None,
            is_enabled=known.is_enabled if known else True,
            authority=visitor.staff,
        )
        slots = _compare(book, seen, visitor)

    async def save(stage: Stage) -> None:
        await ruling.save_rule(
            *(stage, visitor.actor, book.scope, rule, stage.now()),
            rule_id=known.id if known else None,
            is_enabled=known.is_enabled if known else True,
            authority=visitor.staff,
        )

    days = int(form["look_days"] or rule_words.LOOK_DAYS[0])
    window = Window(now, now + timedelta(days=days))
    difference = await foretelling.foretell_difference(services, window, save)
    return _edit(
        *(request, services, visitor, book, form, known),
        slots=slots,
        shifts=foretold_words.shifts(difference, visitor.locale),
        shifts_until=difference.until,
        look_days=days,
    )


async def _show_stale(
    request: AnyRequest, services: Services, visitor: Visitor, form: Form, error: StaleFormError
) -> Page:
    """Show the typed entries beside what somebody else has saved meanwhile."""
    book = await _open(request, services, visitor)
    known = _meant(request, book)
    stale.explain(form, visitor, error, known.revision if known else 0)
    return _edit(request, services, visitor, book, form, known, is_stale=True, status=409)


async def _show_gone(
    request: AnyRequest, services: Services, visitor: Visitor, book: RuleBook
) -> Page:
    """Offer to add what was typed for a rule that is not there any more."""
    form = await forms.read(request, rule_words.fields(None))
    form.refuse("", "rules.err_gone")
    return _edit(request, services, visitor, book, form, None, status=409)


def _everywhere(method: Callable[..., Any], tail: str, act: Any, **opt: Any) -> list[Any]:
    """Give one act its three addresses: only the office changes what counts for everybody."""
    office = {"policy": Policy.COORDINATOR, **opt}
    group = {"policy": Policy.GROUP, **opt}
    return [
        method(f"{_FOR_ALL}{tail}", opt=office)(act),
        method([f"{path}{tail}" for path in _NEARER], opt=group)(act),
    ]


_ONE = "/{rule_id:uuid}"
ROUTES: list[HTTPRouteHandler] = [
    *_everywhere(get, "", show_rules),
    *_everywhere(get, "/neu", show_rule),
    *_everywhere(post, "/neu", save_rule, form=True),
    *_everywhere(get, _ONE, show_rule),
    *_everywhere(post, _ONE, save_rule, form=True),
    *_everywhere(post, f"{_ONE}/schalten", switch_rule),
    *_everywhere(get, "/verwerfen", show_inheriting)[1:],
    *_everywhere(post, "/verwerfen", inherit_rules)[1:],
]
