"""What the scheduling form holds, and what is wrong with it; field names are the form's own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from service.domain import instants
from service.domain.changes import MeetingFacts
from service.domain.errors import FieldsError
from service.domain.words import Audience, Mode, Precision, State, Visibility

TITLE_LENGTH = 200
LINE_LENGTH = 200
URL_LENGTH = 2000
TEXT_LENGTH = 5000
MOST_SEATS = 100_000
_FIRST_YEAR, _LAST_YEAR = 1990, 2100
_LINES = ("place_name", "room", "street", "town", "dial_in", "chair", "organiser")
_TEXTS = ("place_access", "description", "agenda")
_DAY = timedelta(days=1)

Fields = dict[str, tuple[str, Mapping[str, Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingForm:
    """The parsed and cleaned entries of the scheduling form.

    `group_ids` begins with the group that calls. `status` is what is to be published, TENTATIVE or
    CONFIRMED. `number` is None to draw the next one; a number of one's own is taken when it is
    free. `end_on` is None for the day of the start. `answer_by` is wall time, None for none.
    `person_ids` are the members who were chosen, and guests; `extra_emails` are guests of whom only
    the address is known yet.
    """

    group_ids: tuple[UUID, ...]
    title: str = ""
    status: State = State.TENTATIVE
    is_numbered: bool = True
    number: int | None = None
    precision: Precision = Precision.TIME
    start_on: date | None = None
    start_time: time | None = None
    end_on: date | None = None
    end_time: time | None = None
    zone: str = "Europe/Berlin"
    answer_by: datetime | None = None
    mode: Mode = Mode.ON_SITE
    place_name: str = ""
    room: str = ""
    street: str = ""
    town: str = ""
    place_access: str = ""
    online_url: str = ""
    dial_in: str = ""
    capacity: int | None = None
    visibility: Visibility = Visibility.PUBLIC
    description: str = ""
    agenda: str = ""
    chair: str = ""
    organiser: str = ""
    outward_url: str = ""
    audience: Audience = Audience.GROUP
    person_ids: frozenset[UUID] = frozenset()
    extra_emails: str = ""
    seats_per_partner: int | None = None

    @property
    def starts_local(self) -> datetime | None:
        """The start as wall time; a rough date starts at midnight of its first day."""
        if self.start_on is None:
            return None
        if self.precision is Precision.TIME:
            at = self.start_time
            return None if at is None else datetime.combine(self.start_on, at)
        return datetime.combine(_first_day(self.start_on, self.precision), time())

    @property
    def ends_local(self) -> datetime | None:
        """The end as wall time; a rough date ends at midnight after its last day."""
        if self.start_on is None:
            return None
        if self.precision is Precision.TIME:
            at = self.end_time
            return None if at is None else datetime.combine(self.end_on or self.start_on, at)
        first = _first_day(self.start_on, self.precision)
        return datetime.combine(_day_after(first, self.end_on, self.precision), time())

    def facts(self, state: State) -> MeetingFacts:
        """Return what the rules see of a meeting that was saved with these entries."""
        return MeetingFacts(
            state=state,
            title=self.title,
            precision=self.precision,
            starts_local=self.starts_local,
            ends_local=self.ends_local,
            zone=self.zone,
            mode=self.mode,
            place_name=self.place_name,
            room=self.room,
            street=self.street,
            town=self.town,
            place_access=self.place_access,
            online_url=self.online_url,
            dial_in=self.dial_in,
            capacity=self.capacity,
            answer_by_local=self.answer_by,
            visibility=self.visibility,
            description=self.description,
            agenda=self.agenda,
        )


def check(form: MeetingForm, *, is_draft: bool = False, seats_taken: int = 0) -> None:
    """Raise `FieldsError` with all that is wrong; a draft may be incomplete but not impossible."""
    wrong = find_errors(form, is_draft=is_draft, seats_taken=seats_taken)
    if wrong:
        raise FieldsError(wrong)


def find_errors(form: MeetingForm, *, is_draft: bool = False, seats_taken: int = 0) -> Fields:
    """Return form field -> (text id, values) for each entry that needs another look."""
    wrong = _find_impossible(form, seats_taken)
    if not is_draft:
        wrong = _find_missing(form) | wrong
    return wrong


def without_date(form: MeetingForm) -> MeetingForm:
    """Return the form of a meeting whose new date is open."""
    return replace(form, start_on=None, start_time=None, end_on=None, end_time=None, answer_by=None)


def _first_day(day: date, precision: Precision) -> date:
    if precision is Precision.MONTH:
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if precision is Precision.WEEK else day


def _day_after(first: date, last: date | None, precision: Precision) -> date:
    if precision is Precision.MONTH:
        return (first + timedelta(days=31)).replace(day=1)
    if precision is Precision.WEEK:
        return first + timedelta(weeks=1)
    return (last or first) + _DAY


def _find_missing(form: MeetingForm) -> Fields:
    wrong: Fields = {}
    if not form.title:
        wrong["title"] = ("plan.err_title", {})
    if form.start_on is None:
        wrong["start_date"] = ("plan.err_date", {})
    if form.status is State.CONFIRMED and _is_rough(form):
        wrong["start_date"] = ("plan.err_confirmed", {})
    elif form.start_on is not None and form.precision is Precision.TIME and _is_rough(form):
        wrong["start_time" if form.start_time is None else "end_time"] = ("plan.err_times", {})
    if form.audience is Audience.CHOSEN and not (form.person_ids or form.extra_emails.strip()):
        wrong["member_ids"] = ("plan.err_audience", {})
    has_access = form.online_url or form.dial_in
    if form.status is State.CONFIRMED and form.mode is not Mode.ON_SITE and not has_access:
        wrong["online_url"] = ("plan.err_online", {})
    return wrong


def _is_rough(form: MeetingForm) -> bool:
    return (
        form.precision is not Precision.TIME or form.starts_local is None or form.ends_local is None
    )


def _find_impossible(form: MeetingForm, seats_taken: int) -> Fields:
    wrong: Fields = {}
    if not form.group_ids:
        wrong["group"] = ("plan.err_group", {})
    if form.number is not None and form.number < 1:
        wrong["number"] = ("plan.err_number_low", {})
    if form.capacity is not None and not max(1, seats_taken) <= form.capacity <= MOST_SEATS:
        wrong["capacity"] = ("plan.err_capacity", {"n": max(1, seats_taken)})
    if form.seats_per_partner is not None and not 1 <= form.seats_per_partner <= MOST_SEATS:
        wrong["seats_per_partner"] = ("plan.err_partner_seats_low", {})
    return wrong | _find_long(form) | _find_bad_urls(form) | _find_bad_times(form)


def _find_long(form: MeetingForm) -> Fields:
    limits = {"title": TITLE_LENGTH}
    limits |= dict.fromkeys(_LINES, LINE_LENGTH) | dict.fromkeys(_TEXTS, TEXT_LENGTH)
    limits |= dict.fromkeys(("online_url", "outward_url"), URL_LENGTH)
    return {
        name: ("plan.err_long", {"n": limit})
        for name, limit in limits.items()
        if len(getattr(form, name)) > limit
    }


def _find_bad_urls(form: MeetingForm) -> Fields:
    return {
        name: ("plan.err_url", {})
        for name in ("online_url", "outward_url")
        if getattr(form, name) and not is_https(getattr(form, name))
    }


def is_https(url: str) -> bool:
    """Tell whether the text is one https address with a host and without blanks or a password."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    is_plain = not any(sign.isspace() or sign in "<>\"'\\" for sign in url)
    return parts.scheme == "https" and bool(host) and "@" not in parts.netloc and is_plain


def _find_bad_times(form: MeetingForm) -> Fields:
    wrong: Fields = {}
    days = {"start_date": form.start_on, "end_date": form.end_on}
    for name, day in days.items():
        if day is not None and not _FIRST_YEAR <= day.year < _LAST_YEAR:
            wrong[name] = ("plan.err_year", {"first": _FIRST_YEAR, "last": _LAST_YEAR - 1})
    if wrong:
        return wrong
    starts, ends = form.starts_local, form.ends_local
    if starts is not None and ends is not None and not _is_after(ends, starts, form.zone):
        wrong["end_time"] = ("plan.err_end", {})
    if form.precision is Precision.TIME:
        wrong |= _find_odd_times(form)
    if form.answer_by is not None and starts is not None and form.answer_by >= starts:
        wrong["answer_by"] = ("plan.err_deadline", {})
    return wrong


def _is_after(later: datetime, earlier: datetime, zone: str) -> bool:
    return instants.to_utc(later, zone) > instants.to_utc(earlier, zone)


def _find_odd_times(form: MeetingForm) -> Fields:
    times = {
        "start_time": form.starts_local,
        "end_time": form.ends_local,
        "answer_by": form.answer_by,
    }
    odd = {
        name: instants.oddity(local, form.zone)
        for name, local in times.items()
        if local is not None
    }
    return {name: (found.value, {}) for name, found in odd.items() if found is not None}
