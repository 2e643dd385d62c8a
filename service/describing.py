"""Describe a meeting as the entry of a calendar, in the reader's language."""

import uuid
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from calendars.entry import Answer as Partstat
from calendars.entry import Entry, Organiser, Status
from calendars.texts import one_line
from service.domain import replies
from service.domain.changes import MeetingFacts
from service.domain.feed_profiles import Fallen
from service.domain.replies import GivenFor
from service.domain.shown import OwnAnswer, ShownMeeting
from service.domain.words import Answer, Heading, Mode, Precision, State, Visibility
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.plain_text import write_plain
from service.pages.rendering import localised
from service.settings import Settings

# Raise it with every change of what is written below: programs that compare LAST-MODIFIED would
# otherwise keep the old wording.
RENDER_EPOCH = datetime(2026, 11, 22, tzinfo=UTC)

_ROUGH = frozenset({Precision.WEEK, Precision.MONTH})
_UNKNOWN_END = timedelta(hours=1)
_STATUS = {
    State.TENTATIVE: Status.TENTATIVE,
    State.DRAFT: Status.TENTATIVE,
    State.CANCELLED: Status.CANCELLED,
    State.POSTPONED: Status.CANCELLED,
}
_PARTSTAT = {
    Answer.IN_PERSON: Partstat.ACCEPTED,
    Answer.ONLINE: Partstat.ACCEPTED,
    Answer.REPRESENTED: Partstat.DELEGATED,
    Answer.DECLINED: Partstat.DECLINED,
    Answer.UNDECIDED: Partstat.TENTATIVE,
}
_BUSY = frozenset({Partstat.ACCEPTED, Partstat.TENTATIVE})


@dataclass(frozen=True, slots=True)
class Voice:
    """Who speaks, in which language, and how a reader comes back: part of every entry's bytes."""

    locale: str
    public_url: str
    organiser: Organiser
    contact: str = ""


def voice_of(settings: Settings, locale: str, office_name: str | None, phone: str | None) -> Voice:
    """Return the office's voice: its fixed mailbox as organiser, never a person."""
    organiser = Organiser(office_name or settings.mail_from_name, settings.mail_from)
    contact = ", ".join(part for part in (office_name, phone) if part)
    return Voice(locale, settings.public_url, organiser, contact)


@dataclass(frozen=True, slots=True)
class Look:
    """How a reader wants entries: part of their bytes, as the voice is."""

    fallen: Fallen = Fallen.PREFIXED
    rough: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """What the entry of an invited reader tells of the own answer, whoever the reader is."""

    answer: Answer | None
    deputy_name: str = ""
    shows_answer: bool = True
    alarm_minutes: int | None = None


USUAL = Look()


def public_entry(meeting: ShownMeeting, voice: Voice, look: Look = USUAL) -> Entry | None:
    """Describe a meeting to everybody: no video link, no attendee, nobody's time is blocked.

    None where it has no date that a calendar can carry.
    """
    times = _times(meeting, look)
    if times is None:
        return None
    return _entry(meeting, voice, times, look=look)


def answered_entry(
    meeting: ShownMeeting, said: Said, voice: Voice, look: Look = USUAL
) -> Entry | None:
    """Describe a meeting to an invited person, with the own answer but without a name.

    Tentative and ended dates carry no answer.
    """
    times = _times(meeting, look)
    if times is None:
        return None
    entry = _entry(meeting, voice, times, look=look, knows_access=True)
    return replace(
        entry,
        summary=_with_answer(entry, said, voice) if said.shows_answer else entry.summary,
        busy=partstat(said.answer) in _BUSY,
        alarm_minutes=said.alarm_minutes,
    )


def partstat(answer: Answer | None) -> Partstat:
    """Return an answer in the words of calendar programs; None stands for none that counts."""
    return Partstat.NEEDS_ACTION if answer is None else _PARTSTAT[answer]


def invited_entry(meeting: ShownMeeting, voice: Voice) -> Entry | None:
    """Describe a meeting to those who are invited, as the file in their letter: with the access."""
    times = _times(meeting, USUAL)
    if times is None:
        return None
    return replace(_entry(meeting, voice, times, knows_access=True), busy=True)


def office_entries(
    meeting: ShownMeeting, voice: Voice, look: Look = USUAL, *, with_deadline: bool = True
) -> list[Entry]:
    """Describe a meeting to the office: drafts too, and the answer deadline as a day of its own."""
    times = _times(meeting, look)
    if times is None:
        return []
    entry = _entry(meeting, voice, times, look=look, knows_access=True)
    page = f"{voice.public_url}{localised(f'/buero/termin/{meeting.id}', voice.locale)}"
    entry = replace(entry, url=page)
    deadline = meeting.answer_by_local if with_deadline else None
    if deadline is None or entry.status is Status.CANCELLED:
        return [entry]
    return [entry, _deadline(entry, meeting, deadline, voice)]


def holding_answer(own: OwnAnswer, stands: MeetingFacts) -> Answer | None:
    """Return what the person said if it still counts, None where the question is open."""
    if own.answer is None:
        return None
    answer = Answer(own.answer)
    given = GivenFor(
        starts_local=own.given_starts_local,
        mode=Mode(own.given_mode or stands.mode),
        town=own.given_town or "",
        answer=answer,
        answered_at=own.answered_at,
    )
    return answer if replies.still_holds(given, stands, own.said) else None


def page_url(meeting: ShownMeeting, voice: Voice) -> str:
    """Return the public address of the meeting's page, empty for a draft."""
    if meeting.slug is None:
        return ""
    return f"{voice.public_url}{localised(f'/termin/{meeting.slug}', voice.locale)}"


def page_path(meeting: ShownMeeting) -> str:
    """Return the path of the meeting's public page, empty where there is none to show."""
    is_shown = meeting.slug is not None and meeting.visibility != Visibility.INTERNAL
    return f"/termin/{meeting.slug}" if is_shown else ""


def place_line(meeting: ShownMeeting) -> str:
    """Write place, room, street and town in one line; empty where none is known."""
    parts = (meeting.place_name, meeting.room, meeting.street, meeting.town)
    return ", ".join(part for part in parts if part)


Times = tuple[datetime, datetime] | tuple[date, date]


def _times(meeting: ShownMeeting, look: Look) -> Times | None:
    if meeting.date_precision in _ROUGH:
        day = meeting.rough_on if look.rough else None
        return None if day is None else (day, day)
    if meeting.starts_local is None:
        return _previous_times(meeting)
    if meeting.date_precision == Precision.DAY:
        return meeting.starts_local.date(), meeting.last_day or meeting.starts_local.date()
    starts, ends = meeting.starts, meeting.ends
    if meeting.date_precision != Precision.TIME or starts is None:
        return None
    return starts, ends or starts + _UNKNOWN_END


def _previous_times(meeting: ShownMeeting) -> Times | None:
    # A postponed meeting is cancelled where it stood, so that it leaves everybody's day.
    starts, ends = meeting.previous_starts_local, meeting.previous_ends_local
    if starts is None or State(meeting.state) not in {State.POSTPONED, State.CANCELLED}:
        return None
    if meeting.date_precision == Precision.DAY:
        last = (ends - timedelta(microseconds=1)).date() if ends and ends > starts else None
        return starts.date(), last or starts.date()
    return (
        starts.replace(tzinfo=meeting.zone),
        (ends or starts + _UNKNOWN_END).replace(tzinfo=meeting.zone),
    )


def _entry(
    meeting: ShownMeeting,
    voice: Voice,
    times: Times,
    *,
    look: Look = USUAL,
    knows_access: bool = False,
) -> Entry:
    url = page_url(meeting, voice)
    return Entry(
        uid=str(meeting.uid),
        sequence=meeting.sequence,
        changed_at=max(meeting.changed_at, RENDER_EPOCH),
        created_at=meeting.created_at,
        status=_STATUS.get(State(meeting.state), Status.CONFIRMED),
        summary=_summary(meeting, voice.locale, look),
        starts=times[0],
        ends=times[1],
        location=_location(meeting, voice.locale, knows_access=knows_access),
        description=_description(meeting, voice, knows_access=knows_access),
        url=url,
        conference_url=meeting.online_url if knows_access and _is_on(meeting) else "",
        categories=tuple(group.name for group in meeting.groups),
        organiser=None if meeting.heading == Heading.OTHER else voice.organiser,
    )


def _is_on(meeting: ShownMeeting) -> bool:
    return meeting.mode != Mode.ON_SITE and State(meeting.state) not in {
        State.CANCELLED,
        State.POSTPONED,
    }


def _summary(meeting: ShownMeeting, locale: str, look: Look) -> str:
    state = State(meeting.state)
    known = texts(locale)
    title = _title(meeting, locale)
    if _STATUS.get(state) is Status.CANCELLED:
        return title if look.fallen is Fallen.PLAIN else known.t(f"entry.{state}", title=title)
    starts = meeting.starts_local
    if meeting.date_precision in _ROUGH and starts is not None:
        return _rough_summary(title, starts.date(), meeting.date_precision, locale)
    key = f"entry.{state}"
    return known.t(key, title=title) if known.has(key) else title


def _title(meeting: ShownMeeting, locale: str) -> str:
    """Return the title, or whose meeting it is: libical takes an entry without one for broken."""
    if one_line(meeting.title):
        return meeting.title
    groups = ", ".join(group.name for group in meeting.groups if one_line(group.name))
    return groups or texts(locale).t("entry.untitled")


def _rough_summary(title: str, day: date, precision: str, locale: str) -> str:
    if precision == Precision.MONTH:
        when = dates.format_month(day, locale)
    else:
        when = dates.format_short_date(day, locale)
    return texts(locale).t(f"entry.rough_{precision}", when=when, title=title)


def _with_answer(entry: Entry, said: Said, voice: Voice) -> str:
    if entry.status is not Status.CONFIRMED:
        return entry.summary
    key = f"entry.answer_{said.answer or 'none'}"
    if said.answer is Answer.REPRESENTED and said.deputy_name:
        key = "entry.answer_represented_by"
    return texts(voice.locale).t(key, title=entry.summary, deputy=said.deputy_name)


def _location(meeting: ShownMeeting, locale: str, *, knows_access: bool) -> str:
    if meeting.mode != Mode.ONLINE:
        return place_line(meeting)
    # The calendar writes the link itself where the reader may know it.
    return "" if knows_access and meeting.online_url else texts(locale).t("entry.online")


def _description(meeting: ShownMeeting, voice: Voice, *, knows_access: bool) -> str:
    t = texts(voice.locale).t
    notes = [
        _state_note(meeting, voice.locale),
        t("entry.mode_hybrid") if meeting.mode == Mode.HYBRID else "",
        t("entry.mode_online") if meeting.mode == Mode.ONLINE and not knows_access else "",
        t("entry.german_time") if voice.locale != "de" else "",
        write_plain(meeting.description),
        f"{t('entry.agenda')}\n{write_plain(meeting.agenda)}" if meeting.agenda else "",
        _facts(meeting, voice, knows_access=knows_access),
    ]
    return "\n\n".join(note for note in notes if note)


def _state_note(meeting: ShownMeeting, locale: str) -> str:
    key = f"entry.is_{meeting.state}"
    known = texts(locale)
    note = known.t(key) if known.has(key) else ""
    falls_out = State(meeting.state) in {State.CANCELLED, State.POSTPONED}
    return f"{note} {meeting.cancel_reason}".strip() if falls_out else note


def _facts(meeting: ShownMeeting, voice: Voice, *, knows_access: bool) -> str:
    t = texts(voice.locale).t
    is_ours = meeting.heading != Heading.OTHER
    lines = [
        t("entry.chair", chair=meeting.chair) if meeting.chair else "",
        t("entry.organiser", organiser=meeting.organiser) if meeting.organiser else "",
        t("entry.access", access=meeting.place_access) if meeting.place_access else "",
        t("entry.dial_in", dial_in=meeting.dial_in) if meeting.dial_in and knows_access else "",
        _answer_by(meeting, voice.locale) if knows_access else "",
        t("entry.contact", contact=voice.contact) if voice.contact and is_ours else "",
        meeting.outward_url,
    ]
    return "\n".join(line for line in lines if line)


def _answer_by(meeting: ShownMeeting, locale: str) -> str:
    if meeting.answer_by_local is None or State(meeting.state) in _STATUS:
        return ""
    at = meeting.answer_by_local.replace(tzinfo=meeting.zone)
    moment = dates.format_moment(at, locale, zone=meeting.zone)
    return texts(locale).t("entry.answer_by", moment=moment)


def _deadline(entry: Entry, meeting: ShownMeeting, deadline: datetime, voice: Voice) -> Entry:
    return Entry(
        uid=str(uuid.uuid5(meeting.uid, "answer-deadline")),
        sequence=entry.sequence,
        changed_at=entry.changed_at,
        created_at=entry.created_at,
        status=Status.CONFIRMED,
        summary=texts(voice.locale).t("entry.deadline", title=_title(meeting, voice.locale)),
        description=_answer_by(meeting, voice.locale),
        url=entry.url,
        starts=deadline.date(),
        ends=deadline.date(),
        categories=entry.categories,
        organiser=entry.organiser,
    )
