"""The private link: the page to answer on, what follows, and what it says to strangers."""

from typing import Any
from zoneinfo import ZoneInfo

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import doubting, replying, requesting, resending
from service.domain import replies
from service.domain.errors import (
    AnsweringClosedError,
    DomainError,
    FieldsError,
    LinkExpiredError,
    LinkReplacedError,
    LinkUnknownError,
    MeetingChangedError,
    PartnerSeatsTakenError,
    SeatsTakenError,
)
from service.domain.replies import Phase
from service.domain.words import Answer, Mode, Precision, Visibility
from service.doubting import Asker
from service.pages import dates
from service.pages.rendering import localised
from service.replying import InvitationView, Reply
from service.services import Services
from service.web import errors, forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import FACTS, Visitor

# Longer than what is taken, so that the sentence can say how long the text is.
_LONG = 20_000
FIELDS = (
    Field("answer", kind="choice", label="rsvp.h1"),
    Field("deputy_name", label="rsvp.deputy", most=_LONG),
    Field("note", kind="text", label="rsvp.note", most=_LONG),
    Field("access_needs", kind="text", label="rsvp.needs", most=_LONG),
    Field("list_consent", kind="flag", label="rsvp.list_consent"),
    Field("secretary", kind="flag"),
    Field("revision", kind="number"),
)
_QUERY = (Field("w", kind="choice"), Field("gesendet", kind="flag"), Field("entfernt", kind="flag"))
_PRESELECTED = {
    "vor-ort": Answer.IN_PERSON,
    "online": Answer.ONLINE,
    "absage": Answer.DECLINED,
    "vertretung": Answer.REPRESENTED,
    "offen": Answer.UNDECIDED,
}
_LINK_ERRORS = (LinkUnknownError, LinkReplacedError, LinkExpiredError)
AnyRequest = Request[Any, Any, Any]


@get("/a/{token:str}", opt={"policy": Policy.TOKEN})
async def show_invitation(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Show the form, or what became of the meeting; store nothing."""
    try:
        view = await replying.find_invitation(services.database, services.keys, token, visitor.now)
    except _LINK_ERRORS as error:
        return _refuse_link(services, visitor, error)
    is_head = request.scope[FACTS].is_head  # type: ignore[literal-required]
    asker = _asker(request, visitor)
    doubting.note_fetch(services, token, asker, visitor.now, is_head=is_head)
    asked = _PRESELECTED.get(forms.read_query(request, _QUERY)["w"])
    form = forms.empty(visitor, FIELDS)
    return _show(services, visitor, token, view, form, asked=asked)


@post("/a/{token:str}", opt={"policy": Policy.TOKEN, "form": True, "direct": True})
async def answer_invitation(
    request: AnyRequest, token: FromPath[str], visitor: NamedDependency[Visitor]
) -> Response[bytes]:
    """Store the answer, or show the form again with everything that was typed."""
    # With a second injected value the framework starts a task for each: dear on the hottest form.
    services: Services = request.app.state.services
    form = await forms.read(request, FIELDS)
    try:
        if form.is_valid:
            await _record(request, services, visitor, token, _reply(form, visitor))
            return respond.see_other(visitor, f"/a/{token}/danke")
        refused: DomainError | None = None
    except _LINK_ERRORS as error:
        return _refuse_link(services, visitor, error)
    except (FieldsError, SeatsTakenError, MeetingChangedError, AnsweringClosedError) as error:
        refused = error
    try:
        view = await replying.find_invitation(services.database, services.keys, token, visitor.now)
    except _LINK_ERRORS as error:
        return _refuse_link(services, visitor, error)
    status = _explain(form, visitor, view, refused)
    return _show(services, visitor, token, view, form, status=status)


@get("/a/{token:str}/danke", opt={"policy": Policy.TOKEN})
async def show_thanks(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Show what is stored now and what happens next."""
    try:
        view = await replying.find_invitation(services.database, services.keys, token, visitor.now)
    except _LINK_ERRORS as error:
        return _refuse_link(services, visitor, error)
    asked = forms.read_query(request, _QUERY)
    return respond.page(
        services,
        visitor,
        "replies/thanks.html",
        **_context(token, view),
        links=_calendar_links(visitor, view),
        mailed=bool(asked["gesendet"]),
        removed=bool(asked["entfernt"]),
        can_remove=requesting.can_remove(view),
    )


@get("/a/{token:str}/nicht-ich", opt={"policy": Policy.TOKEN})
async def show_not_you(
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Tell whoever got somebody else's link what to do."""
    try:
        view = await replying.find_invitation(services.database, services.keys, token, visitor.now)
    except _LINK_ERRORS as error:
        return _refuse_link(services, visitor, error)
    context = _context(token, view)
    return respond.page(services, visitor, "replies/not_you.html", **context)


@post("/a/{token:str}/meine-termine", opt={"policy": Policy.TOKEN})
async def mail_my_links(
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Mail the person's own links to the registered address."""
    try:
        await resending.mail_links_by_token(services.database, services.keys, token, visitor.now)
    except _LINK_ERRORS as error:
        return _refuse_link(services, visitor, error)
    return respond.see_other(visitor, f"/a/{token}/danke?gesendet=1")


@post("/a/{token:str}/kalender", opt={"policy": Policy.TOKEN})
async def remove_entry(
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Let an email take the entry out of the person's calendar program."""
    try:
        is_done = await requesting.remove_entry(
            services.database, services.keys, token, visitor.now
        )
    except _LINK_ERRORS as error:
        return _refuse_link(services, visitor, error)
    return respond.see_other(visitor, f"/a/{token}/danke{'?entfernt=1' if is_done else ''}")


async def _record(
    request: AnyRequest, services: Services, visitor: Visitor, token: str, reply: Reply
) -> None:
    # Reading the headers alone costs as much as all else that is asked here.
    is_doubted = not doubting.is_quiet(services, token) and await doubting.looks_automatic(
        services, token, _asker(request, visitor), visitor.now
    )
    database, keys, now = services.database, services.keys, visitor.now
    await replying.record_reply(database, keys, token, reply, now, looks_automatic=is_doubted)


def _asker(request: AnyRequest, visitor: Visitor) -> Asker:
    return Asker(visitor.network, request.headers.get("user-agent", ""))


def _reply(form: Form, visitor: Visitor) -> Reply:
    answer = form["answer"]
    return Reply(
        answer=Answer(answer) if answer in set(Answer) else None,
        note=form["note"],
        access_needs=form["access_needs"],
        list_consent=form["list_consent"],
        deputy_name=form["deputy_name"],
        answered_for=visitor.t("rsvp.secretary_stored") if form["secretary"] else "",
        # A form without the number is as old as one with a former number.
        seen_revision=-1 if form["revision"] is None else form["revision"],
    )


def _explain(
    form: Form, visitor: Visitor, view: InvitationView, refused: DomainError | None
) -> int:
    """Put the sentence of a refusal where it belongs, and return the status."""
    if isinstance(refused, FieldsError):
        form.refuse_fields(refused)
    elif isinstance(refused, PartnerSeatsTakenError):
        form.refuse("answer", "rsvp.err_partner_seats")
    elif isinstance(refused, SeatsTakenError):
        hybrid = view.meeting.mode is Mode.HYBRID
        form.refuse("answer", "rsvp.err_race_hybrid" if hybrid else "rsvp.err_race")
    elif isinstance(refused, MeetingChangedError):
        form.refuse("", "rsvp.err_revision", new=_describe(visitor, view))
    return 422 if refused is None else errors.status_of(refused)


def _show(
    services: Services,
    visitor: Visitor,
    token: str,
    view: InvitationView,
    form: Form,
    *,
    asked: Answer | None = None,
    status: int = 200,
) -> Response[bytes]:
    preselected = asked if asked in view.offered else None
    stands = view.answer if view.holds else None
    chosen = preselected or stands
    opens_more = bool(
        view.row["access_needs"] or view.row["list_consent"] or view.row["answered_for"]
    )
    return respond.page(
        services,
        visitor,
        "replies/answer.html",
        status,
        **_context(token, view),
        form=form,
        options=_options(visitor, view),
        chosen_answer="" if chosen is None else chosen.value,
        is_preselected=preselected is not None,
        opens_more=opens_more or bool(form.errors.get("access_needs")),
    )


def _context(token: str, view: InvitationView) -> dict[str, Any]:
    meeting = view.meeting
    in_room = (meeting.place_name, meeting.room, meeting.street, meeting.town)
    is_public = meeting.visibility is Visibility.PUBLIC and view.row["slug"]
    return {
        "view": view,
        "token": token,
        "zone": ZoneInfo(meeting.zone),
        "place": [] if meeting.mode is Mode.ONLINE else [part for part in in_room if part],
        "takes_answers": replies.takes_answers(view.phase) and not view.is_uninvited,
        "joins": _joins(view),
        "partner_seats": _partner_seats(view),
        "public_path": f"/termin/{view.row['slug']}" if is_public else None,
    }


def _partner_seats(view: InvitationView) -> tuple[str, dict[str, int]] | None:
    """Return how to say what the partner has left in the room, None without such a limit."""
    left, limit = view.partner_seats_left, view.row["seats_per_partner"]
    if left is None or view.meeting.mode is Mode.ONLINE:
        return None
    if left:
        return "rsvp.partner_left", {"limit": limit, "left": left}
    both = 2
    return "rsvp.partner_both" if limit == both else "rsvp.partner_full", {"n": limit}


def _joins(view: InvitationView) -> bool:
    """Tell whether the way in is shown: to those who take part online, and to all at the time."""
    if not replies.takes_answers(view.phase) or not view.meeting.online_url:
        return False
    return view.phase is Phase.IN_PROGRESS or (view.holds and view.answer is Answer.ONLINE)


def _options(visitor: Visitor, view: InvitationView) -> list[tuple[str, str, str | None]]:
    is_full = 0 in {view.seats_left, view.partner_seats_left} and not view.row["has_seat"]
    needs_seat = {Answer.IN_PERSON, Answer.REPRESENTED} if is_full else set()
    if view.meeting.mode is Mode.ONLINE:
        needs_seat = set()
    note = visitor.t("rsvp.full_note")
    return [
        (answer.value, visitor.t(f"rsvp.choose_{answer}"), note if answer in needs_seat else None)
        for answer in view.offered
    ]


def _calendar_links(visitor: Visitor, view: InvitationView) -> list[dict[str, str | None]]:
    links: list[tuple[str, str]] = []
    if view.meeting.visibility is Visibility.PUBLIC and view.row["slug"]:
        links.append(("rsvp.calendar_file", f"/termin/{view.row['slug']}.ics"))
    links.append(("rsvp.calendar_subscribe", "/kalender"))
    return [
        {"text": visitor.t(text), "href": localised(path, visitor.locale), "note": None}
        for text, path in links
    ]


def _describe(visitor: Visitor, view: InvitationView) -> str:
    """Say in one line when and where the meeting is now."""
    meeting = view.meeting
    if meeting.starts_at is None or meeting.starts_local is None:
        return visitor.t("status.postponed")
    zone = ZoneInfo(meeting.zone)
    if meeting.precision is Precision.TIME:
        when = dates.format_when(meeting.starts_at, meeting.ends_at, visitor.locale, zone=zone)
    else:
        when = dates.format_long_date(meeting.starts_local.date(), visitor.locale)
    place = "" if meeting.mode is Mode.ONLINE else meeting.place_name
    return f"{when}, {place}" if place else when


def _refuse_link(services: Services, visitor: Visitor, error: DomainError) -> Response[bytes]:
    return errors.show_dead_link(services, visitor, error, heading="rsvp", text="rsvp")


ROUTES = [
    show_invitation,
    answer_invitation,
    show_thanks,
    show_not_you,
    mail_my_links,
    remove_entry,
]
