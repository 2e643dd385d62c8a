"""The public list, what is over, the page of one session and its calendar file."""

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response
from markupsafe import Markup

from service import describing, publishing
from service.describing import Voice
from service.domain.shown import ShownMeeting
from service.domain.words import Heading, Mode, Precision, State
from service.pages.rendering import localised
from service.publishing import Filter
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

FIELDS = (
    Field("gruppe", kind="many"),
    Field("von", kind="day", label="list.filter_from"),
    Field("bis", kind="day", label="list.filter_to"),
    Field("art", kind="choice", label="list.filter_mode", choices=("", "on_site", "online")),
    Field("ohne_abgesagte", kind="flag"),
)
_YEAR = (Field("jahr", kind="number"),)
# An iPhone subscribes to an address that ends in .ics; the file lies behind a redirect.
_SUFFIX = ".ics"
_ATTENDANCE = {
    Mode.ON_SITE: "OfflineEventAttendanceMode",
    Mode.ONLINE: "OnlineEventAttendanceMode",
    Mode.HYBRID: "MixedEventAttendanceMode",
}


@get("/", opt={"policy": Policy.PUBLIC})
async def show_list(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Show the coming dates, filtered by the query."""
    form = forms.read_query(request, FIELDS)
    wanted = _filter(form)
    listing = await publishing.list_coming(services.database, wanted, visitor.now)
    return respond.page(
        services,
        visitor,
        "public/list.html",
        form=form,
        filter=wanted,
        listing=listing,
        group_options=[(group.slug, group.name) for group in listing.groups],
        structured=_structured(
            (m for section in listing.sections for m in section.meetings),
            _voice(services, visitor),
        ),
    )


@get("/vergangene-termine", opt={"policy": Policy.PUBLIC})
async def show_past(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Show what is over, one year a page."""
    year = forms.read_query(request, _YEAR)["jahr"]
    listing = await publishing.list_past(services.database, year, visitor.now)
    return respond.page(services, visitor, "public/past.html", listing=listing)


@get("/termin/{slug:str}", opt={"policy": Policy.PUBLIC})
async def show_session(
    slug: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Show one session; the same address with .ics leads to its calendar file."""
    if slug.endswith(_SUFFIX):
        return respond.see_other(visitor, f"/termin/{slug.removesuffix(_SUFFIX)}/kalenderdatei")
    session = await publishing.find_session(services.database, slug, visitor.now)
    meeting = session.meeting
    return respond.page(
        services,
        visitor,
        "public/session.html",
        session=session,
        m=meeting,
        place=describing.place_line(meeting),
        links=_calendar_links(meeting, visitor),
        can_answer=_can_answer(meeting, visitor),
        structured=_structured([meeting], _voice(services, visitor)),
    )


@get("/termin/{slug:str}/kalenderdatei", opt={"policy": Policy.PUBLIC})
async def download_session(
    slug: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Send one session as a file to take along."""
    voice = _voice(services, visitor)
    body = await publishing.make_download(services.database, slug, voice)
    headers = {
        "content-type": "text/calendar; charset=utf-8; method=PUBLISH",
        "content-disposition": f'attachment; filename="{slug}.ics"',
        "x-robots-tag": "noindex",
    }
    return Response(body, headers=headers)


def _filter(form: Form) -> Filter:
    return Filter(
        groups=tuple(form["gruppe"] or ()),
        from_on=form["von"],
        to_on=form["bis"],
        mode=form["art"] or "",
        hides_cancelled=bool(form["ohne_abgesagte"]),
    )


def _voice(services: Services, visitor: Visitor) -> Voice:
    instance = visitor.furnishing.instance
    return describing.voice_of(
        services.settings, visitor.locale, instance.office_name, instance.phone
    )


def _can_answer(meeting: ShownMeeting, visitor: Visitor) -> bool:
    is_open = meeting.state == State.CONFIRMED and meeting.heading != Heading.OTHER
    return is_open and meeting.ends is not None and meeting.ends > visitor.now


def _calendar_links(meeting: ShownMeeting, visitor: Visitor) -> list[dict[str, str | None]]:
    """Offer the file first, then the pages of web calendars; none for what no calendar carries."""
    is_exact = meeting.date_precision in {Precision.TIME, Precision.DAY}
    if meeting.starts is None or not is_exact or meeting.state == State.CANCELLED:
        return []
    file = localised(f"/termin/{meeting.slug}{_SUFFIX}", visitor.locale)
    links: list[dict[str, str | None]] = [
        {"text": visitor.t("meeting.file"), "href": file, "note": None}
    ]
    for provider, name in (("m365", "Microsoft"), ("outlook", "Microsoft"), ("google", "Google")):
        query = urlencode({"termin": meeting.slug or ""})
        links.append(
            {
                "text": visitor.t(f"meeting.to_{provider}"),
                "href": localised(f"/zu/{provider}?{query}", visitor.locale),
                "note": f"({visitor.t('meeting.opens', provider=name)})",
            }
        )
    return links


def _structured(meetings: Iterable[ShownMeeting], voice: Voice) -> Markup | None:
    """Describe certain dates to search engines (schema.org has no word for provisional ones)."""
    events = [_event(m, voice) for m in meetings if _is_certain(m)]
    if not events:
        return None
    document = {"@context": "https://schema.org", "@graph": events}
    # Inside a script element only "<" can end it; JSON reads the escape as the same sign.
    return Markup(json.dumps(document, ensure_ascii=False).replace("<", "\\u003c"))  # noqa: S704


def _is_certain(meeting: ShownMeeting) -> bool:
    is_sure = meeting.state in {State.CONFIRMED, State.CANCELLED} and meeting.starts is not None
    is_exact = meeting.date_precision in {Precision.TIME, Precision.DAY}
    return is_sure and is_exact and meeting.visibility == "public"


def _event(meeting: ShownMeeting, voice: Voice) -> dict[str, Any]:
    event: dict[str, Any] = {
        "@type": "Event",
        "name": meeting.title,
        "url": describing.page_url(meeting, voice),
        **_event_times(meeting),
        "eventStatus": f"https://schema.org/{_event_status(meeting)}",
        "eventAttendanceMode": f"https://schema.org/{_ATTENDANCE[Mode(meeting.mode)]}",
    }
    if places := _event_places(meeting, voice):
        event["location"] = places
    organiser = meeting.organiser or (
        voice.organiser.name if meeting.heading != Heading.OTHER else ""
    )
    if organiser:
        event["organizer"] = {"@type": "Organization", "name": organiser}
    return event


def _event_times(meeting: ShownMeeting) -> dict[str, str]:
    if meeting.date_precision == Precision.DAY and meeting.starts_local and meeting.last_day:
        first, last = meeting.starts_local.date().isoformat(), meeting.last_day.isoformat()
        return {"startDate": first, "endDate": last}
    times = {"startDate": meeting.starts, "endDate": meeting.ends}
    if meeting.is_moved:
        times["previousStartDate"] = meeting.previous_starts
    return {name: moment.isoformat() for name, moment in times.items() if moment is not None}


def _event_status(meeting: ShownMeeting) -> str:
    if meeting.state == State.CANCELLED:
        return "EventCancelled"
    return "EventRescheduled" if meeting.is_moved else "EventScheduled"


def _event_places(meeting: ShownMeeting, voice: Voice) -> list[dict[str, str]]:
    places = []
    line = describing.place_line(meeting)
    if meeting.mode != Mode.ONLINE and line:
        name = meeting.place_name or meeting.town or line
        places.append({"@type": "Place", "name": name, "address": line})
    if meeting.mode != Mode.ON_SITE:
        # The access link is for invited people; a machine gets the page.
        places.append({"@type": "VirtualLocation", "url": describing.page_url(meeting, voice)})
    return places


ROUTES = [show_list, show_past, show_session, download_session]
