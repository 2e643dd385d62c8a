"""The session page, where the coordinator lives: who comes, what waits, what was done."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import forgetting, noticing, overseeing, reminding, repeating, tailoring, transcribing
from service.domain.errors import NotFoundError
from service.domain.words import Mode
from service.overseeing import Guests, InvitedPerson, Session
from service.pages.catalogue import texts
from service.services import Services
from service.transcribing import Words
from service.web import forms, meeting_previews, respond, stale
from service.web.forms import Field
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.GROUP}
_FILTER = (
    *(Field("antwort"), Field("suche", most=100), Field("seite", "number")),
    *(Field("getan"), Field("n", "number")),
)
ROWS_A_PAGE = 100
_DONE = frozenset(
    {
        *("drafted", "published", "changed", "confirmed", "postponed", "cancelled", "uncancelled"),
        *("invited", "invited_none", "reminded", "reminded_none", "sent", "sent_late"),
        *(
            "withdrawn",
            "withdrawn_late",
            "entered",
            "repeated",
            "repeated_none",
            "uninvited",
            "added",
            "timed",
            "renewed",
            "renewed_alone",
            "settled",
            "answer_confirmed",
            "answer_reset",
            "too_late",
        ),
    }
)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/termin/{meeting_id:uuid}", opt=_OPT)
async def show_session(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show one session with its people, filtered by what they answered."""
    query = forms.read_query(request, _FILTER)
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    chosen = query["antwort"] or ""
    words = await _words(services, session)
    guests = await overseeing.list_guests(
        services.database, session, chosen, query["suche"] or "", wrote=words
    )
    return respond.page(
        services,
        visitor,
        "office/session.html",
        words=words,
        presses=transcribing.offered(Mode(session.meeting.mode)),
        session=session,
        guests=guests,
        listed=_cut(guests, query["seite"] or 1),
        query=stale.query(_kept(antwort=chosen, suche=query["suche"])),
        chosen=chosen,
        search=query["suche"] or "",
        kept=await forgetting.find_kept(services.database, meeting_id),
        notices=await noticing.find_pending(services.database, meeting_id),
        planned=await reminding.planned_letters(services.database, meeting_id),
        history=await overseeing.list_history(services.database, meeting_id),
        calls=overseeing.needs_calls(session, visitor.now),
        look=await meeting_previews.look_at_meeting(
            services, visitor, session.meeting, session.group_ids
        ),
        spread=await tailoring.count_shown(services.database, meeting_id, visitor.now),
        done=query["getan"] if query["getan"] in _DONE else None,
        done_n=query["n"] or 0,
        reminding=count_reminded(guests, visitor.now),
        repeats=_repeats(session, visitor),
        reason_text=reason_text(visitor),
        action_text=_action_text(visitor),
    )


@dataclass(frozen=True, slots=True)
class Reminded:
    """How many a reminder would go to, and how many got one so lately that they are spared."""

    wanted: int
    spared: int


def count_reminded(guests: Guests, now: datetime) -> Reminded:
    """Count whom a reminder by hand is for, and who is spared."""
    lacking = [one for one in guests.people if one.lacks_answer and one.has_address]
    wanted = sum(one.can_be_reminded(now) for one in lacking)
    return Reminded(wanted, len(lacking) - wanted)


def _kept(**typed: str | None) -> dict[str, str]:
    """Return what is filtered by, for the links to other pages."""
    return {name: value for name, value in typed.items() if value}


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of the people on the list: their partners, each with its rows."""

    partners: Sequence[tuple[str, Sequence[InvitedPerson]]]
    page: int
    pages: int


def _cut(guests: Guests, wanted: int) -> Listed:
    """Return the page that was asked for, or the one that is nearest to it."""
    rows = [(partner, one) for partner, people in guests.shown for one in people]
    pages = max(1, -(-len(rows) // ROWS_A_PAGE))
    page = min(max(1, wanted), pages)
    found = groupby(rows[(page - 1) * ROWS_A_PAGE : page * ROWS_A_PAGE], itemgetter(0))
    return Listed([(name, [one for _, one in own]) for name, own in found], page, pages)


@post("/buero/termin/{meeting_id:uuid}/mitteilung/{notice_id:uuid}/senden", opt=_OPT)
async def send_notice(
    meeting_id: FromPath[UUID],
    notice_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """End a countdown."""
    sent = await noticing.send_now(
        services.database, visitor.actor, notice_id, visitor.now, authority=visitor.staff
    )
    done = "sent_late" if sent is None else f"sent&n={sent}"
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan={done}")


@post("/buero/termin/{meeting_id:uuid}/mitteilung/{notice_id:uuid}/zuruecknehmen", opt=_OPT)
async def withdraw_notice(
    meeting_id: FromPath[UUID],
    notice_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Take letters back that have not left."""
    in_time = await noticing.withdraw(
        services.database, visitor.actor, notice_id, visitor.now, authority=visitor.staff
    )
    done = "withdrawn" if in_time else "withdrawn_late"
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan={done}")


@get("/buero/termin/{meeting_id:uuid}/drucken", opt=_OPT)
async def show_print(
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show the list of participants for paper."""
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    guests = await overseeing.list_guests(services.database, session)
    kept = await forgetting.find_kept(services.database, meeting_id)
    return respond.page(
        services, visitor, "office/print.html", session=session, guests=guests, kept=kept
    )


@get("/buero/termin/{meeting_id:uuid}/anrufliste", opt={"policy": Policy.COORDINATOR})
async def show_calls(
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show whom to call because letters come too late."""
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    guests = await overseeing.list_guests(services.database, session)
    called = [one for one in guests.people if one.state == "invited" and one.answer != "declined"]
    return respond.page(
        services, visitor, "office/calls.html", session=session, called=called, wide=True
    )


async def _words(services: Services, session: Session) -> Mapping[UUID | None, Sequence[Words]]:
    """Return what people wrote in answer to this session's letters: for the office alone."""
    if not session.sees_private:
        return {}
    found = await transcribing.list_of_session(services.database, session.meeting.id)
    return transcribing.by_invitation(found)


def _repeats(session: Session, visitor: Visitor) -> Callable[[InvitedPerson], bool]:
    """Return what tells whether a letter to somebody on the list can leave once more."""
    state = session.meeting.state
    in_time = repeating.is_in_time(state, session.meeting.starts, visitor.now)

    def tell(one: InvitedPerson) -> bool:
        can_get = in_time and one.has_address and one.state == "invited"
        return can_get and bool(repeating.fitting(state, one.told_kinds, one.standing_kinds))

    return tell


def reason_text(visitor: Visitor) -> Any:
    """Return what says why a letter is where it is, or stays; a code without words is shown."""
    known = texts(visitor.locale)

    def say(code: str | None) -> str:
        if not code:
            return ""
        return known.t(f"reason.{code}") if known.has(f"reason.{code}") else code

    return say


def _action_text(visitor: Visitor) -> Any:
    known = texts(visitor.locale)

    def say(action: str) -> str:
        return known.t(f"audit.{action}") if known.has(f"audit.{action}") else action

    return say


async def find_guest(
    services: Services, visitor: Visitor, meeting_id: UUID, invitation_id: UUID
) -> tuple[Session, InvitedPerson]:
    """Return a session that this account may change, and one person on its list."""
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    require_change(session)
    return session, await overseeing.find_person(services.database, session, invitation_id)


async def ask_about(
    services: Services, visitor: Visitor, template: str, meeting_id: UUID, invitation_id: UUID
) -> Page:
    """Show the page that asks before something happens to one person on the list."""
    session, person = await find_guest(services, visitor, meeting_id, invitation_id)
    return respond.page(services, visitor, template, session=session, person=person)


def require_change(session: Session) -> None:
    """Raise unless this account may change the session: to others its acts are not there."""
    if not session.may_change:
        raise NotFoundError


ROUTES = [show_session, send_notice, withdraw_notice, show_print, show_calls]
