"""The fields of the scheduling form, and the ways between them and what the rules take."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

from service.domain.errors import FieldsError
from service.domain.meeting_forms import MeetingForm
from service.domain.words import Mode, Precision, State, Verdict, Visibility
from service.web import audiences, forms, rule_ticks
from service.web.forms import Field, Form
from service.web.visitors import Visitor

# Longer than what is taken, so that the rules' own sentence names the limit.
_LONG = 20_000
_STATUS = (State.TENTATIVE.value, State.CONFIRMED.value)
TIME_FIELDS = (
    Field("start_date", "day", "plan.start_date"),
    Field("start_time", "clock", "plan.start_time"),
    Field("end_time", "clock", "plan.end_time"),
    Field("end_date", "day", "plan.end_date"),
    Field("answer_by", "day", "plan.answer_by"),
    Field("answer_by_time", "clock", "plan.answer_by_time"),
)
# When invitations leave, where neither "now" nor the group's rule is wanted.
INVITE_FIELDS = (
    Field("invite_on", "day", "plan.invite_on"),
    Field("invite_time", "clock", "plan.invite_time"),
)
FIELDS = (
    Field("id", "id"),
    Field("revision", "number"),
    Field("action"),
    Field("test"),
    Field("group", "id", "plan.group", required=True),
    Field("number", "number", "plan.number"),
    Field("without_number", "flag", "plan.without_number"),
    Field("title", label="plan.title", most=_LONG),
    Field("status", "choice", "plan.status", choices=_STATUS),
    Field("precision", "choice", "plan.precision", choices=tuple(Precision)),
    *TIME_FIELDS,
    Field("mode", "choice", "plan.mode", choices=tuple(Mode)),
    Field("place_name", label="plan.place_name", most=_LONG),
    Field("room", label="plan.room", most=_LONG),
    Field("street", label="plan.street", most=_LONG),
    Field("town", label="plan.town", most=_LONG),
    Field("capacity", "number", "plan.capacity"),
    Field("place_access", "text", "plan.place_access", most=_LONG),
    Field("online_url", label="plan.online_url", most=_LONG),
    Field("dial_in", label="plan.dial_in", most=_LONG),
    Field("visibility", "choice", "plan.visibility", choices=tuple(Visibility)),
    Field("chair", label="plan.chair", most=_LONG),
    Field("description", "text", "plan.description", most=_LONG),
    Field("agenda", "text", "plan.agenda", most=_LONG),
    Field("organiser", label="plan.organiser", most=_LONG),
    Field("outward_url", label="plan.outward_url", most=_LONG),
    Field("message", "text", "plan.message", most=2000),
    # What the preview asks for: whether answers hold, and what it showed when it was pressed.
    Field("answers", "choice", "answers.legend", choices=tuple(Verdict)),
    Field("answers_shown", "choice", choices=tuple(Verdict)),
    *INVITE_FIELDS,
    *audiences.FIELDS,
    *rule_ticks.FIELDS,
)
MOVE_FIELDS = (
    Field("revision", "number"),
    Field("action"),
    Field("status", "choice", "plan.status", choices=_STATUS),
    *TIME_FIELDS,
    Field("message", "text", "plan.message", most=2000),
    *INVITE_FIELDS,
)
_PLAIN = (
    *("title", "capacity", "place_name", "room", "street", "town", "place_access", "online_url"),
    *("dial_in", "chair", "description", "agenda", "organiser", "outward_url"),
)
_DEADLINE_TIME = time(12)
_INVITE_TIME = time(9)
# What a comparison with somebody else's entries shows, in the order of the form.
COMPARED = (
    *("group", "title", "precision", "start_date", "start_time", "end_date", "end_time"),
    *("answer_by", "answer_by_time", "mode", "place_name", "room", "street", "town", "capacity"),
    *("place_access", "online_url", "dial_in", "visibility", "chair", "description", "agenda"),
    *("organiser", "outward_url"),
)


def read_entries(form: Form, kept: MeetingForm | None, *, sees_guests: bool = True) -> MeetingForm:
    """Return what was typed; groups beside the calling one and the zone stay as kept.

    Guests by address are the office's: who may not see them leaves them as they are.
    """
    others = () if kept is None else kept.group_ids[1:]
    first = form["group"]
    groups = (first, *(each for each in others if each != first)) if first else others
    return MeetingForm(
        group_ids=groups,
        status=State(form["status"] or State.TENTATIVE),
        is_numbered=not form["without_number"],
        number=form["number"],
        precision=Precision(form["precision"] or Precision.TIME),
        start_on=form["start_date"],
        start_time=form["start_time"],
        end_on=form["end_date"],
        end_time=form["end_time"],
        zone="Europe/Berlin" if kept is None else kept.zone,
        answer_by=_deadline(form["answer_by"], form["answer_by_time"]),
        mode=Mode(form["mode"] or Mode.ON_SITE),
        visibility=Visibility(form["visibility"] or Visibility.PUBLIC),
        **{name: form[name] for name in _PLAIN},
        **audiences.read(form, kept, sees_guests=sees_guests),
    )


def read_invite_time(form: Form) -> datetime | None:
    """Return when invitations are to leave, as wall time; an empty day is refused at the field."""
    if form["invite_on"] is None:
        form.refuse("invite_on", "plan.err_invite_on")
        return None
    return datetime.combine(form["invite_on"], form["invite_time"] or _INVITE_TIME)


def refuses_invite_time(error: FieldsError) -> bool:
    """Tell whether only the time of the invitations needs another look."""
    return set(error.fields) <= {each.name for each in INVITE_FIELDS}


def prefilled(
    visitor: Visitor,
    entries: MeetingForm,
    *,
    meeting_id: UUID,
    revision: int | None,
    number: int | None = None,
) -> Form:
    """Return the form as it is shown first, with the entries as typed text."""
    form = forms.empty(visitor, FIELDS)
    form.values.update(typed_values(entries, number))
    form.values["id"] = str(meeting_id)
    form.values["revision"] = "" if revision is None else str(revision)
    return form


def typed_values(entries: MeetingForm, number: int | None = None) -> dict[str, str | list[str]]:
    """Return the entries as a browser would send them."""
    deadline = entries.answer_by
    values: dict[str, Any] = {name: getattr(entries, name) for name in _PLAIN}
    values |= {
        "group": entries.group_ids[0] if entries.group_ids else "",
        "number": number if entries.number is None else entries.number,
        "status": entries.status,
        "precision": entries.precision,
        "start_date": entries.start_on,
        "start_time": entries.start_time,
        "end_date": entries.end_on,
        "end_time": entries.end_time,
        "answer_by": deadline and deadline.date(),
        "answer_by_time": deadline and deadline.time(),
        "mode": entries.mode,
        "visibility": entries.visibility,
    }
    written: dict[str, str | list[str]] = {name: _write(value) for name, value in values.items()}
    written |= audiences.typed_values(entries)
    if not entries.is_numbered:
        written["without_number"] = "1"
    return written


def differences(
    mine: Mapping[str, str | list[str]], kept: Mapping[str, str | list[str]]
) -> Sequence[tuple[str, str, str]]:
    """Return (field, what was typed, what is kept) where the two differ."""
    pairs = ((name, _text(mine, name), _text(kept, name)) for name in COMPARED)
    return [(name, typed, other) for name, typed, other in pairs if typed != other]


def _text(values: Mapping[str, str | list[str]], name: str) -> str:
    value = values.get(name, "")
    return value if isinstance(value, str) else ", ".join(value)


def _deadline(day: date | None, at: time | None) -> datetime | None:
    return None if day is None else datetime.combine(day, at or _DEADLINE_TIME)


def _write(value: object) -> str:
    if value is None:
        return ""
    return f"{value:%H:%M}" if isinstance(value, time) else str(value)
