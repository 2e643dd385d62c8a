"""Whom a session asks, inside the scheduling form: the whole group, ticked members, and guests."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any
from uuid import UUID

from service import asking
from service.asking import Member
from service.domain.meeting_forms import MeetingForm
from service.domain.words import Audience
from service.services import Services
from service.web.forms import Field, Form
from service.web.visitors import Visitor

# Longer than what is taken, so that the rules' own sentence names the limit.
_LONG = 60_000
FIELDS = (
    Field("audience", "choice", "plan.audience", choices=tuple(Audience)),
    Field("member_ids", "ids", "plan.members"),
    Field("guest_ids", "ids", "plan.guests"),
    Field("extra_emails", "text", "plan.extra_emails", most=_LONG),
    Field("seats_per_partner", "number", "plan.seats_per_partner"),
    Field("suche", label="plan.member_search"),
)
Option = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """The people to tick: members by partner, guests, and who is ticked but not shown now."""

    partners: Sequence[tuple[str, Sequence[Option]]]
    guests: Sequence[Option]
    unseen: Sequence[str]


def read(form: Form, kept: MeetingForm | None, *, sees_guests: bool) -> dict[str, Any]:
    """Return the entries about people; who may not see guests leaves those as they are kept."""
    audience = Audience(form["audience"] or Audience.GROUP)
    chosen = form["member_ids"] or () if audience is Audience.CHOSEN else ()
    known = frozenset() if kept is None else kept.person_ids
    guests = frozenset(form["guest_ids"] or ())
    return {
        "audience": audience,
        "person_ids": frozenset(chosen) | (guests if sees_guests else guests & known),
        "extra_emails": _extra(form, kept, sees_guests=sees_guests),
        "seats_per_partner": form["seats_per_partner"],
    }


def typed_values(entries: MeetingForm) -> dict[str, str | list[str]]:
    """Return the entries as a browser would send them."""
    ids = sorted(str(each) for each in entries.person_ids)
    seats = entries.seats_per_partner
    return {
        "audience": entries.audience.value,
        "member_ids": ids,
        "guest_ids": ids,
        "extra_emails": entries.extra_emails,
        "seats_per_partner": "" if seats is None else str(seats),
    }


async def offer(
    services: Services,
    visitor: Visitor,
    form: Form,
    group_ids: Sequence[UUID],
    meeting_id: UUID | None,
) -> Offered:
    """Return who can be ticked; a search narrows the members that are shown, not the ticks."""
    ticked = _ids(form, "member_ids")
    known = [UUID(each) for each in {*ticked, *_ids(form, "guest_ids")} if _is_id(each)]
    people = await asking.list_candidates(
        services.database, group_ids, known, meeting_id=meeting_id, authority=visitor.staff
    )
    search = str(form.values.get("suche") or "").casefold()
    members = [one for one in people if one.is_member]
    shown = [one for one in members if search in f"{one.name} {one.partner}".casefold()]
    unseen = {str(one.id) for one in members} - {str(one.id) for one in shown}
    return Offered(
        partners=[
            (partner, [_option(visitor, one) for one in group])
            for partner, group in groupby(shown, key=lambda one: one.partner)
        ],
        guests=[_guest(visitor, one) for one in people if not one.is_member],
        unseen=[each for each in ticked if each in unseen],
    )


def _extra(form: Form, kept: MeetingForm | None, *, sees_guests: bool) -> str:
    """Return the typed lines; where the form has no such field they stay as they are."""
    if not sees_guests or "extra_emails" not in form.values:
        return "" if kept is None else kept.extra_emails
    return str(form["extra_emails"] or "")


def _ids(form: Form, name: str) -> list[str]:
    values = form.values.get(name) or []
    return list(values) if isinstance(values, list) else [values]


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def _option(visitor: Visitor, one: Member) -> Option:
    return (str(one.id), one.name, None if one.has_address else visitor.t("reason.no_address"))


def _guest(visitor: Visitor, one: Member) -> Option:
    value, name, note = _option(visitor, one)
    return (value, f"{name}, {one.partner}" if one.partner else name, note)
