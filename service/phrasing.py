"""What each kind of letter about a meeting says, as blocks, in the reader's language."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from zoneinfo import ZoneInfo

from service import describing
from service.domain.changes import MeetingFacts
from service.domain.words import Answer, Mode, Precision
from service.furnishing import InstanceData
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.tables.shown_meetings import ShownMeeting
from service.wording import Block, Words, facts, paragraph

# What stands behind `?w=` in a letter's link checks that answer on the page; it sends nothing.
CHOICES: Mapping[Answer, str] = {
    Answer.IN_PERSON: "vor-ort",
    Answer.ONLINE: "online",
    Answer.REPRESENTED: "vertretung",
    Answer.DECLINED: "absage",
}
_OFFERED: Mapping[Mode, Sequence[Answer]] = {
    Mode.ON_SITE: (Answer.IN_PERSON, Answer.REPRESENTED, Answer.DECLINED),
    Mode.ONLINE: (Answer.ONLINE, Answer.REPRESENTED, Answer.DECLINED),
    Mode.HYBRID: (Answer.IN_PERSON, Answer.ONLINE, Answer.REPRESENTED, Answer.DECLINED),
}
_COMING = frozenset({"in_person", "online", "represented"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Everything that the recipients of one prototype have in common.

    `stance` is what they said (an answer, "" for none); `holds` whether it still counts.
    `before` are the facts that a change notice starts from.
    """

    kind: str
    locale: str
    public_url: str
    meeting: ShownMeeting
    now_facts: MeetingFacts
    instance: InstanceData
    is_first: bool = False
    stance: str = ""
    holds: bool = False
    before: MeetingFacts | None = None
    message: str = ""

    def t(self, key: str, /, **values: Any) -> str:
        """Return a text in the letter's language."""
        return texts(self.locale).t(key, **values)

    def address(self, path: str) -> str:
        """Return the full address of a page in the letter's language."""
        return f"{self.public_url}{localised(path, self.locale)}"

    @property
    def short_when(self) -> str:
        """The date for subjects: absolute, because letters are read late."""
        starts = self.meeting.starts
        if starts is None:
            return self.t("letter.no_date")
        precision = _precision(self.meeting.date_precision)
        return dates.format_short_when(
            starts, self.locale, precision=precision, zone=self.meeting.zone
        )


def phrase(occasion: Occasion) -> Words:
    """Write the letter of this kind."""
    kind = "date_confirmed" if occasion.kind == "confirmed" else occasion.kind
    subject = _subject(kind, occasion)
    blocks = [_addressee(occasion), *_BODIES[kind](occasion)]
    return Words(
        subject=subject,
        title=occasion.t(f"letter.{kind}.title", title=occasion.meeting.title),
        locale=occasion.locale,
        blocks=blocks,
        footer=_footer(kind, occasion),
    )


def _subject(kind: str, occasion: Occasion) -> str:
    values = {
        "title": occasion.meeting.title,
        "when": occasion.short_when,
        "deadline": _deadline(occasion, short=True),
        "answer": occasion.t(f"answer.{occasion.stance or 'none'}"),
    }
    key = f"letter.{kind}.subject"
    if kind == "change" and not _date_moved(occasion):
        key = "letter.change.subject_same_date"
    if kind == "nudge" and not values["deadline"]:
        key = "letter.nudge.subject_no_deadline"
    return occasion.t(key, **values)


def _addressee(occasion: Occasion) -> Block:
    # Two people may share a mailbox, so every letter names its person first.
    return Block("lines", f"{occasion.t('letter.for')}\n⟦name⟧\n⟦partner⟧")


# The pieces that bodies are made of.


def _precision(word: str) -> dates.Precision:
    return cast("dates.Precision", Precision(word).value)


def when(facts_: MeetingFacts, locale: str) -> str:
    """Say when the meeting is, with the zone named for readers elsewhere."""
    if facts_.starts_local is None:
        return texts(locale).t("letter.no_date")
    zone = ZoneInfo(facts_.zone)
    starts = facts_.starts_local.replace(tzinfo=zone)
    ends = facts_.ends_local.replace(tzinfo=zone) if facts_.ends_local else None
    return dates.format_when(
        starts, ends, locale, precision=_precision(facts_.precision), zone=zone
    )


def where(facts_: MeetingFacts, locale: str) -> str:
    """Say where the meeting is, in one line."""
    place = ", ".join(
        part for part in (facts_.place_name, facts_.room, facts_.street, facts_.town) if part
    )
    if facts_.mode is Mode.ON_SITE:
        return place
    online = texts(locale).t("letter.online")
    return online if facts_.mode is Mode.ONLINE or not place else f"{place}; {online}"


def _deadline(occasion: Occasion, *, short: bool = False) -> str:
    at = occasion.now_facts.answer_by_at
    if at is None:
        return ""
    zone = occasion.meeting.zone
    if short:
        return dates.format_short_date(at.astimezone(zone).date(), occasion.locale)
    return dates.format_moment(at, occasion.locale, zone=zone)


def _four_lines(occasion: Occasion, *, with_deadline: bool = True) -> Block:
    t, now = occasion.t, occasion.now_facts
    return facts(
        (t("letter.what"), occasion.meeting.title),
        (t("letter.when"), when(now, occasion.locale)),
        (t("letter.where"), where(now, occasion.locale)),
        (t("letter.access"), now.place_access),
        (t("letter.until"), _deadline(occasion) if with_deadline else ""),
    )


def _choices(occasion: Occasion) -> list[Block]:
    offered = _OFFERED[Mode(occasion.meeting.mode)]
    rows = [(occasion.t(f"letter.choice.{answer}"), f"⟦link_{answer}⟧") for answer in offered]
    return [
        paragraph(occasion.t("letter.answer_by_link")),
        Block("choices", rows=rows),
        paragraph(occasion.t("letter.link_is_yours")),
    ]


def _agenda(occasion: Occasion) -> list[Block]:
    blocks = []
    if occasion.meeting.description:
        blocks.append(Block("lines", occasion.meeting.description))
    if occasion.meeting.agenda:
        blocks.append(Block("heading", occasion.t("letter.agenda")))
        blocks.append(Block("lines", occasion.meeting.agenda))
    return blocks


def _access(occasion: Occasion) -> list[Block]:
    """Tell those who take part online how they get in."""
    meeting = occasion.meeting
    if meeting.mode == Mode.ON_SITE or not meeting.online_url:
        return []
    rows = [(occasion.t("letter.online_access"), meeting.online_url)]
    blocks = [Block("links", rows=rows)]
    if meeting.dial_in:
        blocks.append(facts((occasion.t("letter.dial_in"), meeting.dial_in)))
    return blocks


def _change_answer(occasion: Occasion) -> Block:
    return Block("links", rows=[(occasion.t("letter.change_answer"), "⟦link_answer⟧")])


def _own_answer(occasion: Occasion) -> list[Block]:
    if not occasion.stance:
        return []
    return [facts((occasion.t("letter.your_answer"), occasion.t(f"answer.{occasion.stance}")))]


def _message(occasion: Occasion) -> list[Block]:
    return [Block("lines", occasion.message)] if occasion.message else []


# The bodies.


def _invitation(occasion: Occasion) -> list[Block]:
    return [
        paragraph(occasion.t("letter.invitation.lead", office=_office(occasion))),
        *_message(occasion),
        _four_lines(occasion),
        *_choices(occasion),
        *_agenda(occasion),
        paragraph(occasion.t("letter.calendar_file")),
        *_first_time(occasion),
    ]


def _date_confirmed(occasion: Occasion) -> list[Block]:
    return [paragraph(occasion.t("letter.date_confirmed.lead")), *_invitation(occasion)[1:]]


def _nudge(occasion: Occasion) -> list[Block]:
    lead = "letter.nudge.lead_again" if occasion.stance else "letter.nudge.lead"
    return [
        paragraph(occasion.t(lead)),
        _four_lines(occasion),
        *_choices(occasion),
        *_first_time(occasion),
    ]


def _reminder(occasion: Occasion) -> list[Block]:
    lead = "letter.reminder.lead"
    if occasion.stance == "undecided":
        lead = "letter.reminder.lead_undecided"
    ask = occasion.stance not in _COMING
    return [
        paragraph(occasion.t(lead)),
        _four_lines(occasion, with_deadline=ask),
        *_own_answer(occasion),
        *_access(occasion),
        *_agenda(occasion),
        *(_choices(occasion) if ask else [_change_answer(occasion)]),
        *_first_time(occasion),
    ]


def _change(occasion: Occasion) -> list[Block]:
    rows = _changed_rows(occasion)
    asks = not occasion.holds and occasion.stance != "declined"
    ending: list[Block] = [_change_answer(occasion)]
    if asks:
        key = "letter.change.ask_again" if occasion.stance else "letter.change.ask"
        ending = [paragraph(occasion.t(key, answer=_said(occasion))), *_choices(occasion)]
    elif occasion.stance == "declined" and not occasion.holds:
        ending = [paragraph(occasion.t("letter.change.declined")), _change_answer(occasion)]
    elif occasion.stance:
        ending = [paragraph(occasion.t("letter.change.holds", answer=_said(occasion))), *ending]
    return [
        paragraph(occasion.t("letter.change.lead")),
        *_message(occasion),
        *([Block("changes", rows=rows)] if rows else []),
        _four_lines(occasion, with_deadline=asks),
        *ending,
        paragraph(occasion.t("letter.calendar_file")),
        *_first_time(occasion),
    ]


def _cancellation(occasion: Occasion) -> list[Block]:
    reason = occasion.meeting.cancel_reason
    return [
        paragraph(occasion.t("letter.cancellation.lead")),
        facts(
            (occasion.t("letter.what"), occasion.meeting.title),
            (occasion.t("letter.was_planned"), _planned(occasion)),
            (occasion.t("letter.reason"), reason),
        ),
        paragraph(occasion.t("letter.cancellation.calendar")),
        *_first_time(occasion),
    ]


def _postponed(occasion: Occasion) -> list[Block]:
    return [
        paragraph(occasion.t("letter.postponed.lead")),
        facts(
            (occasion.t("letter.what"), occasion.meeting.title),
            (occasion.t("letter.was_planned"), _planned(occasion)),
            (occasion.t("letter.reason"), occasion.meeting.cancel_reason),
        ),
        paragraph(occasion.t("letter.postponed.calendar")),
        *_first_time(occasion),
    ]


def _uncancellation(occasion: Occasion) -> list[Block]:
    holds = bool(occasion.stance) and occasion.holds
    key = "letter.uncancellation.lead_holds" if holds else "letter.uncancellation.lead"
    return [
        paragraph(occasion.t(key, answer=_said(occasion))),
        *_message(occasion),
        _four_lines(occasion, with_deadline=not holds),
        *([_change_answer(occasion)] if holds else _choices(occasion)),
        paragraph(occasion.t("letter.calendar_file")),
        *_first_time(occasion),
    ]


def _uninvited(occasion: Occasion) -> list[Block]:
    return [
        paragraph(occasion.t("letter.uninvited.lead")),
        facts(
            (occasion.t("letter.what"), occasion.meeting.title),
            (occasion.t("letter.when"), when(occasion.now_facts, occasion.locale)),
        ),
        paragraph(occasion.t("letter.uninvited.calendar")),
    ]


def _receipt(occasion: Occasion) -> list[Block]:
    return [
        paragraph(occasion.t("letter.receipt.lead")),
        *_own_answer(occasion),
        _four_lines(occasion, with_deadline=False),
        *(_access(occasion) if occasion.stance == "online" else []),
        _change_answer(occasion),
        paragraph(occasion.t("letter.receipt.not_you")),
        *_first_time(occasion),
    ]


_BODIES: Mapping[str, Callable[[Occasion], list[Block]]] = {
    "invitation": _invitation,
    "date_confirmed": _date_confirmed,
    "nudge": _nudge,
    "reminder": _reminder,
    "change": _change,
    "cancellation": _cancellation,
    "postponed": _postponed,
    "uncancellation": _uncancellation,
    "uninvited": _uninvited,
    "receipt": _receipt,
}


def _said(occasion: Occasion) -> str:
    return occasion.t(f"answer.{occasion.stance or 'none'}")


def _office(occasion: Occasion) -> str:
    return occasion.instance.office_name or occasion.instance.name


def _planned(occasion: Occasion) -> str:
    """Say when a meeting that falls out would have been."""
    meeting = occasion.meeting
    starts: datetime | None = meeting.starts_local or meeting.previous_starts_local
    ends = meeting.ends_local if meeting.starts_local else meeting.previous_ends_local
    if starts is None:
        return ""
    zone = meeting.zone
    return dates.format_when(
        starts.replace(tzinfo=zone),
        ends.replace(tzinfo=zone) if ends else None,
        occasion.locale,
        precision=_precision(meeting.date_precision),
        zone=zone,
    )


def _date_moved(occasion: Occasion) -> bool:
    before = occasion.before
    return before is not None and (before.starts_local, before.precision) != (
        occasion.now_facts.starts_local,
        occasion.now_facts.precision,
    )


def _changed_rows(occasion: Occasion) -> list[tuple[str, str, str]]:
    """Say old and new for each thing that people notice; what stayed is left out."""
    before, now, locale = occasion.before, occasion.now_facts, occasion.locale
    if before is None:
        return []
    t = occasion.t
    pairs = [
        (t("letter.title"), before.title, now.title),
        (t("letter.when"), when(before, locale), when(now, locale)),
        (t("letter.where"), where(before, locale), where(now, locale)),
        (t("letter.online_access"), before.online_url, now.online_url),
        (t("letter.dial_in"), before.dial_in, now.dial_in),
        (t("letter.until"), *(_local(each, locale) for each in (before, now))),
    ]
    if before.description != now.description or before.agenda != now.agenda:
        pairs.append((t("letter.agenda"), t("letter.text_old"), t("letter.text_new")))
    blank = t("letter.nothing")
    return [(label, old or blank, new or blank) for label, old, new in pairs if old != new]


def _local(facts_: MeetingFacts, locale: str) -> str:
    at = facts_.answer_by_at
    return "" if at is None else dates.format_moment(at, locale, zone=ZoneInfo(facts_.zone))


def _first_time(occasion: Occasion) -> list[Block]:
    """Say in a person's first letter where we have the data from (Art. 14 GDPR)."""
    if not occasion.is_first:
        return []
    return [
        Block("heading", occasion.t("letter.art14.title")),
        paragraph(occasion.t("letter.art14.text", office=_office(occasion))),
        Block("links", rows=[(occasion.t("letter.art14.more"), occasion.address("/datenschutz"))]),
    ]


def _footer(kind: str, occasion: Occasion) -> list[Block]:
    data, t = occasion.instance, occasion.t
    contact = ", ".join(part for part in (data.phone, data.email) if part)
    postal = ", ".join(
        part
        for part in (_office(occasion), data.street, f"{data.postcode} {data.town}".strip())
        if part
    )
    page = describing.page_path(occasion.meeting)
    rows = [(t("letter.page"), occasion.address(page))] if page else []
    rows += [
        (t("frame.imprint"), occasion.address("/impressum")),
        (t("frame.privacy"), occasion.address("/datenschutz")),
    ]
    why = "letter.why_uninvited" if kind == "uninvited" else "letter.why"
    return [
        paragraph(t(why, group=_groups(occasion))),
        facts((t("letter.contact"), contact), (t("letter.office"), postal)),
        Block("links", rows=rows),
    ]


def _groups(occasion: Occasion) -> str:
    names = ", ".join(group.name for group in occasion.meeting.groups)
    return names or occasion.instance.name
