"""The public list for other sites: the same dates as plain items, in words and for machines."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service import describing, occasions, publishing
from service.database import Database
from service.domain.shown import ShownMeeting
from service.domain.words import Mode, Precision, State
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.publishing import Filter

MOST_ITEMS = 20
PAST = "past"

_SAID_STATES = frozenset({State.TENTATIVE, State.CANCELLED, State.POSTPONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What a web editor wants of the list: at most `count` coming dates, and as many past ones."""

    groups: tuple[str, ...] = ()
    count: int = 10
    shows_past: bool = False
    leaves_out_tentative: bool = False
    leaves_out_empty: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One date; `machine` is as exact as it is known (HTML, section 4.5.14), empty without date."""

    uid: str
    title: str
    url: str
    groups: tuple[str, ...]
    state: str
    state_text: str
    when: str
    machine: str
    before: str
    place: str
    changed_at: datetime

    @property
    def line(self) -> str:
        """Everything but the title as one line of text."""
        return " · ".join(part for part in (self.when, self.before, self.place) if part)


@dataclass(frozen=True, slots=True)
class Section:
    """One heading with its dates, or with the words that there are none."""

    heading: str
    title: str
    items: tuple[Item, ...]
    empty_text: str


@dataclass(frozen=True, slots=True)
class Block:
    """What another site shows: the sections in the order of our list, in one language."""

    locale: str
    url: str
    sections: tuple[Section, ...]

    @property
    def items(self) -> Sequence[Item]:
        """Return the dates of all sections."""
        return [item for section in self.sections for item in section.items]


async def list_block(
    database: Database, choice: Choice, locale: str, public_url: str, now: datetime
) -> Block:
    """Return what is public and coming, and on request what is over, in the words of a language."""
    listing = await publishing.list_coming(database, Filter(groups=choice.groups), now)
    coming = {
        section.heading: [m for m in section.meetings if _is_wanted(m, choice)]
        for section in listing.sections
    }
    kept = _first(coming.values(), choice.count)
    t = texts(locale).t
    sections = [
        Section(
            heading,
            t(f"list.heading_{heading}"),
            tuple(_item(m, locale, public_url) for m in found if m.id in kept),
            t("list.empty_section"),
        )
        for heading, found in coming.items()
    ]
    if choice.shows_past:
        sections.append(await _past(database, choice, locale, public_url, now))
    if choice.leaves_out_empty:
        sections = [section for section in sections if section.items]
    return Block(locale, f"{public_url}{localised('/', locale)}", tuple(sections))


def as_data(block: Block) -> Mapping[str, Any]:
    """Return the block as values of JSON."""
    return {
        "language": block.locale,
        "url": block.url,
        "sections": [
            {
                "heading": section.heading,
                "title": section.title,
                "empty": section.empty_text,
                "items": [_item_data(item) for item in section.items],
            }
            for section in block.sections
        ],
    }


def _item_data(item: Item) -> Mapping[str, Any]:
    return {
        "id": item.uid,
        "title": item.title,
        "url": item.url,
        "groups": list(item.groups),
        "state": item.state,
        "state_text": item.state_text,
        "date": item.machine,
        "when": item.when,
        "before": item.before,
        "place": item.place,
    }


async def _past(
    database: Database, choice: Choice, locale: str, public_url: str, now: datetime
) -> Section:
    listing = await publishing.list_past(database, None, now)
    wanted = set(choice.groups)
    found = [
        m
        for m in listing.meetings
        if not wanted or wanted.intersection(group.slug for group in m.groups)
    ]
    items = tuple(_item(m, locale, public_url) for m in found[: choice.count])
    t = texts(locale).t
    return Section(PAST, t("list.past"), items, t("list.past_empty"))


def _is_wanted(meeting: ShownMeeting, choice: Choice) -> bool:
    return not (choice.leaves_out_tentative and meeting.state == State.TENTATIVE)


def _first(found: Iterable[Sequence[ShownMeeting]], count: int) -> frozenset[object]:
    """Return the ids of the next dates over all headings; those without a date come last."""
    every = [meeting for part in found for meeting in part]
    every.sort(key=lambda m: (m.starts_local is None, m.starts_local or datetime.max, m.uid))  # noqa: DTZ901
    return frozenset(meeting.id for meeting in every[:count])


def _item(meeting: ShownMeeting, locale: str, public_url: str) -> Item:
    said = meeting.state in _SAID_STATES
    return Item(
        uid=str(meeting.uid),
        title=meeting.title,
        url=f"{public_url}{localised(describing.page_path(meeting), locale)}",
        groups=tuple(group.name for group in meeting.groups),
        state=meeting.state,
        state_text=texts(locale).t(f"state.{meeting.state}") if said else "",
        when=_when(meeting, locale),
        machine=_machine(meeting),
        before=_before(meeting, locale),
        place=_place(meeting, locale),
        changed_at=meeting.changed_at,
    )


def _when(meeting: ShownMeeting, locale: str) -> str:
    t = texts(locale).t
    said = _span(meeting, meeting.starts, meeting.ends, locale)
    if meeting.state == State.TENTATIVE and said:
        in_month = meeting.date_precision == Precision.MONTH
        return f"{t('list.expected_month' if in_month else 'list.expected')} {said}"
    if meeting.state == State.CANCELLED:
        old = said or _span(meeting, meeting.previous_starts, meeting.previous_ends, locale)
        return f"{t('list.was_planned')} {old}" if old else ""
    return said or t("list.no_date")


def _before(meeting: ShownMeeting, locale: str) -> str:
    """Say which date it was moved from, empty where it never was."""
    if not meeting.is_moved or meeting.previous_starts is None:
        return ""
    old = _span(meeting, meeting.previous_starts, meeting.previous_ends, locale)
    return f"{texts(locale).t('list.moved_from')} {old}"


def _span(
    meeting: ShownMeeting, starts: datetime | None, ends: datetime | None, locale: str
) -> str:
    if starts is None:
        return ""
    precision = occasions.read_precision(meeting.date_precision)
    if precision == "day" and starts == meeting.starts:
        return dates.format_when(starts.date(), meeting.last_day, locale)
    is_foreign = meeting.zone.key != dates.BERLIN.key
    notes_zone = not is_foreign and (locale == "en" or meeting.mode != Mode.ON_SITE)
    return dates.format_when(
        starts, ends, locale, precision=precision, zone=meeting.zone, zone_note=notes_zone
    )


def _machine(meeting: ShownMeeting) -> str:
    if meeting.starts is None:
        return ""
    precision = occasions.read_precision(meeting.date_precision)
    return dates.machine_form(meeting.starts, precision=precision, zone=meeting.zone)


def _place(meeting: ShownMeeting, locale: str) -> str:
    t = texts(locale).t
    if meeting.mode == Mode.ONLINE:
        return t("list.online")
    place = ", ".join(part for part in (meeting.place_name, meeting.town) if part)
    return f"{place} ({t('list.hybrid')})" if place and meeting.mode == Mode.HYBRID else place
