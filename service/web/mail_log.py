"""The mail log: what became of every letter, and the few things to do about one."""

from collections.abc import Callable
from dataclasses import replace
from datetime import MAXYEAR, MINYEAR, date, datetime, time, timedelta
from operator import itemgetter
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from notifications.outbox import State
from service import (
    alarming,
    hearing,
    housekeeping,
    mending,
    noticing,
    pausing,
    posting,
    repeating,
    rereading,
    tabulating,
)
from service.pages.catalogue import texts
from service.pages.dates import BERLIN
from service.posting import PostedLetter, Wanted
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.COORDINATOR}
# Two choices beside the states: everything that a person should look at, and what was refused for
# another reason than the address.
LOOK, REFUSED = "look", "refused"
FILTERS = (
    Field("zustand", label="log.state", most=20),
    Field("termin", kind="id", label="log.session"),
    Field("art", label="log.kind", most=40),
    Field("meldung", label="log.report", most=20),
    Field("person", kind="id", label="log.person"),
    Field("von", kind="day", label="log.from"),
    Field("bis", kind="day", label="log.until"),
    Field("suche", label="log.search", most=100),
    Field("seite", kind="number", label="log.page"),
    Field("nach", kind="id"),
    Field("vor", kind="id"),
    Field("getan", most=20),
    Field("n", kind="number"),
)
_KEPT = ("zustand", "art", "termin", "meldung", "person", "von", "bis", "suche")
_REPORTS = ("delivered", "relayed", "delayed", "failed", "none")
_DONE = frozenset(
    {"repeated", "withdrawn", "released", "released_all", "settled", "resumed", "too_late"}
    | {"none_picked", "all_repeat", "all_withdraw", "all_release"}
)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/versand", opt=_OPT)
async def list_letters(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show letters by state, session and words, fifty a page."""
    typed = forms.read_query(request, FILTERS)
    found = await posting.list_letters(services.database, _wanted(typed, visitor.now))
    return respond.page(
        services,
        visitor,
        "mail/letters.html",
        status=200,
        found=found,
        filters=typed,
        is_filtered=any(typed.values[name] for name in _KEPT),
        kinds=_kinds(visitor),
        reports=[(one, visitor.t(f"dsn.{one}")) for one in _REPORTS],
        person_name=await posting.find_name(services.database, typed.parsed.get("person")),
        states=[(state.value, visitor.t(f"mail.state.{state}")) for state in State],
        sessions=await posting.list_sessions(services.database, visitor.now),
        counts=await posting.count_states(services.database),
        running=len(await noticing.list_running(services.database, visitor.staff, visitor.now)),
        restored=await posting.count_restored(services.database),
        unmatched=await mending.list_unmatched(services.database),
        query=_query(typed),
        standstill=await pausing.find(services, visitor.now),
        wrong=await alarming.look_over(services, visitor.locale),
        done=_done(typed),
        done_n=typed["n"] or 0,
        **_common(visitor),
    )


@get("/buero/versand/tabelle", opt=_OPT)
async def download_letters(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Return the letters of the filter as a file for spreadsheets."""
    typed = forms.read_query(request, FILTERS)
    letters = await posting.list_all(services.database, _wanted(typed, visitor.now))
    return Response(
        tabulating.write_letters(letters, visitor.locale, say_reason(visitor)),
        headers={
            "content-type": "text/csv; charset=utf-8",
            "content-disposition": 'attachment; filename="versand.csv"',
        },
    )


@get("/buero/versand/drucken", opt=_OPT)
async def print_letters(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show the letters of the filter for paper."""
    typed = forms.read_query(request, FILTERS)
    return respond.page(
        services,
        visitor,
        "mail/print.html",
        status=200,
        letters=await posting.list_all(services.database, _wanted(typed, visitor.now)),
        person_name=await posting.find_name(services.database, typed.parsed.get("person")),
        query=_query(typed),
        **_common(visitor),
    )


@get("/buero/versand/{letter_id:uuid}", opt=_OPT)
async def show_letter(
    request: AnyRequest,
    letter_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show one letter with every try to hand it over."""
    letter = await posting.find_letter(services.database, letter_id)
    return respond.page(
        services,
        visitor,
        "mail/letter.html",
        letter=letter,
        can_mark=await mending.can_mark(services.database, letter),
        again=await _can_follow(services, letter, visitor.now),
        written=await rereading.read(services.database, letter_id),
        attempts=await posting.list_attempts(services.database, letter_id),
        returned=await mending.list_returned(services.database, letter_id),
        hears=hearing.is_set_up(services.settings),
        done=_done(forms.read_query(request, FILTERS)),
        **_common(visitor),
    )


@post("/buero/versand/{letter_id:uuid}/erneut-senden", opt=_OPT)
async def repeat_letter(
    letter_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Send a letter once more."""
    is_done = await posting.repeat(services.database, visitor.actor, letter_id, visitor.now)
    return _said(visitor, letter_id, "repeated" if is_done else "too_late")


@post("/buero/versand/{letter_id:uuid}/zurueckziehen", opt=_OPT)
async def withdraw_letter(
    letter_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Take a letter back that still waits."""
    is_done = await posting.withdraw(services.database, visitor.actor, letter_id)
    return _said(visitor, letter_id, "withdrawn" if is_done else "too_late")


@post("/buero/versand/{letter_id:uuid}/freigeben", opt=_OPT)
async def release_letter(
    letter_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Let a letter leave that a restored backup held back."""
    is_done = await posting.release(services.database, visitor.actor, letter_id, visitor.now)
    return _said(visitor, letter_id, "released" if is_done else "too_late")


@post("/buero/versand/freigeben", opt=_OPT)
async def release_restored(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Let all letters leave that a restored backup held back."""
    count = await posting.release_restored(services.database, visitor.actor)
    return respond.see_other(visitor, f"/buero/versand?getan=released_all&n={count}")


@post("/buero/versand/fortsetzen", opt=_OPT)
async def resume_sending(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Let letters leave again after something stopped them."""
    is_done = await pausing.resume(services, visitor.actor)
    done = "resumed" if is_done else "too_late"
    return respond.see_other(visitor, f"/buero/versand?getan={done}")


async def _can_follow(services: Services, letter: PostedLetter, now: datetime) -> bool:
    """Tell whether what counts now can go once more to whom a letter that left may not reach."""
    if letter.state is not State.SENT or letter.invitation_id is None or letter.meeting_id is None:
        return False
    chance = await repeating.find_chance(
        services.database, letter.meeting_id, letter.invitation_id, now
    )
    return chance.kind is not None


def _wanted(typed: Form, now: datetime) -> Wanted:
    chosen = typed.parsed.get("zustand")
    wanted = Wanted()
    if chosen == LOOK:
        wanted = posting.unsolved(now)
    elif chosen == REFUSED:
        wanted = Wanted(is_refused=True)
    elif chosen in frozenset(State):
        wanted = Wanted(states=(State(chosen),))
    return replace(
        wanted,
        meeting_id=typed.parsed.get("termin"),
        kinds=(typed.parsed["art"],) if typed.parsed.get("art") else (),
        person_id=typed.parsed.get("person"),
        report=typed.parsed["meldung"] if typed.parsed.get("meldung") in _REPORTS else "",
        from_at=_midnight(typed.parsed.get("von")),
        until_at=_midnight(typed.parsed.get("bis"), after=1),
        text=typed.parsed.get("suche") or "",
        page=typed.parsed.get("seite") or 1,
        behind_id=typed.parsed.get("nach"),
        before_id=typed.parsed.get("vor"),
    )


def _midnight(day: date | None, after: int = 0) -> datetime | None:
    """Return when a day begins here, or the one so many days later; None without a day."""
    if day is None or day.year in {MINYEAR, MAXYEAR}:
        return None
    return datetime.combine(day + timedelta(days=after), time(), BERLIN)


def _kinds(visitor: Visitor) -> list[tuple[str, str]]:
    """Return all kinds of letters by their names."""
    known = texts(visitor.locale).wordings
    ids = [key.removeprefix("kind.") for key in known if key.startswith("kind.")]
    named = [(one, visitor.t(f"kind.{one}")) for one in ids if one != posting.UNNAMED]
    return sorted(named, key=itemgetter(1))


def _query(typed: Form) -> str:
    """Return the filters as the beginning of a query, for the links to other pages."""
    kept = {name: str(typed.values[name]) for name in _KEPT if typed.values[name]}
    return f"?{urlencode(kept)}&" if kept else "?"


def _done(typed: Form) -> str | None:
    done = typed.parsed.get("getan")
    return done if done in _DONE else None


def _said(visitor: Visitor, letter_id: UUID, done: str) -> Page:
    return respond.see_other(visitor, f"/buero/versand/{letter_id}?getan={done}")


def _common(visitor: Visitor) -> dict[str, Any]:
    return {
        "reason_text": say_reason(visitor),
        "words_days": housekeeping.LETTER_WORDS_KEPT.days,
        "proof_days": housekeeping.LETTERS_KEPT.days,
    }


def say_reason(visitor: Visitor) -> Callable[[str], str]:
    """Return what says why a letter is where it is; a code without words shows itself."""
    known = texts(visitor.locale)

    def say(code: str) -> str:
        return known.t(f"reason.{code}") if known.has(f"reason.{code}") else code

    return say


ROUTES = [
    list_letters,
    download_letters,
    print_letters,
    show_letter,
    repeat_letter,
    withdraw_letter,
    release_letter,
    release_restored,
    resume_sending,
]
