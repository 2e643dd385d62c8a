"""Write letters as drafts: what everybody with the same key reads, calendar files included."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from calendars.entry import Entry
from notifications.letters import Attachment, Draft
from service import (
    describing,
    hearing,
    joint_letters,
    listing_links,
    phrasing,
    plain_letters,
    requesting,
    summarising,
    wording,
)
from service.database import Database
from service.digesting import Shape
from service.domain import changes, preferences
from service.domain.errors import NotFoundError
from service.domain.preferences import Topic
from service.domain.words import State
from service.furnishing import InstanceData
from service.joint_letters import Whole
from service.occasions import Occasion
from service.requesting import CalendarWay, Part
from service.services import Services
from service.tables import facts, letter_statements, shown_meetings
from service.wording import Words

# Kinds whose calendar file the reader's program should take in.
_WITH_CALENDAR = frozenset(
    {
        "invitation",
        "date_confirmed",
        "change",
        "cancellation",
        "postponed",
        "uncancellation",
        "receipt",
        "uninvited",
        "entry_removed",
        "answer_differs",
    }
)
# To those who have only a file these say what to do with it.
_WITH_BUTTONS_ONLY = frozenset({"uninvited", "entry_removed", "answer_differs"})
_LABEL = re.compile("[a-z0-9]+(?:-+[a-z0-9]+)*")
"""A slug that stands in a list's id as it is."""

_MEETING = f"{shown_meetings.SELECT}, meeting.capacity FROM meeting WHERE meeting.id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What letters with the same wording have in common; equal keys promise equal drafts."""

    kind: str
    locale: str
    instance: InstanceData
    meeting_id: UUID | None = None
    revision: int = 0
    group_names: tuple[str, ...] = ()
    notice_id: UUID | None = None
    known_id: UUID | None = None
    is_first: bool = False
    has_partner: bool = True
    stance: str = ""
    holds: bool = False
    has_deputy: bool = False
    is_copy: bool = False
    digest: Shape | None = None
    text_only: bool = False
    no_calendar: bool = False
    way: CalendarWay = CalendarWay.FILE
    because: str = ""
    is_brief: bool = False
    slot: str = ""
    parts: tuple["Key", ...] = ()
    heading: str = ""
    reply_to: str = ""
    sample: tuple[str, str, str, str] | None = None
    follows: bool = False
    leads: bool = False
    is_late: bool = False
    summary: summarising.Shape | None = None
    topic: Topic | None = None
    links: listing_links.Shape | None = None


class Drafter:
    """Composes with what the database says now."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._database: Database = services.database

    async def write(self, key: Key) -> Draft:
        """Write what all recipients with this key have in common."""
        draft = await self._write(key)
        draft = self._threaded(draft) if key.follows else draft
        return replace(draft, html="" if key.text_only else draft.html, locale=key.locale)

    def draft_of(self, occasion: Occasion, *, no_calendar: bool = False) -> Draft:
        """Write the letter of an occasion that is known as a whole."""
        part = None if no_calendar else self._calendar(occasion)
        told = replace(occasion, has_calendar=part is not None)
        if occasion.is_brief:
            told = replace(told, kind=requesting.UPDATE, because=occasion.kind)
        words = phrasing.phrase(told)
        draft = self._draft(words, occasion.instance)
        if part is not None:
            reply_to = part.reply_to or draft.reply_to
            draft = replace(
                draft, calendar=part.content, calendar_method=part.method, reply_to=reply_to
            )
        headers = () if occasion.is_copy else self._headers(occasion.kind, [occasion])
        return replace(draft, headers=headers, references=self._root_of(occasion))

    def _root_of(self, occasion: Occasion) -> str:
        """Return the id of the letter that never was and all letters about a session answer."""
        return f"<meeting-{occasion.meeting.uid}@{self._services.settings.mail_domain}>"

    def _threaded(self, draft: Draft) -> Draft:
        """Let a letter answer the first one that its recipient got (RFC 5322 section 3.6.4)."""
        first = f"<⟦first_letter⟧@{self._services.settings.mail_domain}>"
        known = " ".join(filter(None, (draft.references, first)))
        return replace(draft, headers=(*draft.headers, ("In-Reply-To", first)), references=known)

    async def _write(self, key: Key) -> Draft:
        if key.sample:
            subject, text, html, file = key.sample
            entry = file.encode() if file else None
            return Draft(subject, text, html, entry, reply_to=key.instance.email or None)
        if key.parts:
            return await self._joint_draft(key)
        if key.meeting_id is None:
            return self._plain_draft(key)
        occasion = await self.occasion(key, key.meeting_id)
        if key.summary is not None:
            words = summarising.phrase(occasion, key.summary)
            draft = self._draft(words, key.instance)
            return replace(draft, references=self._root_of(occasion))
        return self.draft_of(occasion, no_calendar=key.no_calendar)

    def _plain_draft(self, key: Key) -> Draft:
        """Write a letter that is about no single session."""
        if key.heading:
            return self._office_draft(key)
        if key.digest is not None:
            return self._digest_draft(key, key.digest)
        public_url = self._services.settings.public_url
        if key.links is not None:
            words = plain_letters.phrase_lost_links(key.locale, key.instance, public_url, key.links)
            return self._draft(words, key.instance)
        words = plain_letters.phrase(key.kind, key.locale, key.instance, public_url)
        return self._draft(words, key.instance)

    def _digest_draft(self, key: Key, shape: Shape) -> Draft:
        public_url = self._services.settings.public_url
        words = plain_letters.phrase_digest(key.locale, key.instance, public_url, shape)
        return replace(self._draft(words, key.instance), headers=self._stop_headers(key.kind))

    def _office_draft(self, key: Key) -> Draft:
        public_url = self._services.settings.public_url
        words = plain_letters.phrase_office(
            key.kind, key.locale, key.instance, public_url, key.heading
        )
        draft = self._draft(words, key.instance)
        return replace(draft, reply_to=key.reply_to) if key.reply_to else draft

    async def _joint_draft(self, key: Key) -> Draft:
        parts = [
            await self.occasion(part, part.meeting_id) for part in key.parts if part.meeting_id
        ]
        found = (
            []
            if key.no_calendar
            else [
                # An entry with buttons goes by a letter of its own.
                self._calendar(part)
                for part in parts
                if part.way is CalendarWay.FILE
            ]
        )
        files = [part.content for part in found if part is not None]
        whole = Whole(
            kind=key.kind,
            locale=key.locale,
            instance=key.instance,
            is_first=key.is_first,
            is_copy=key.is_copy,
            files=len(files),
            topic=key.topic,
        )
        # One file a session: programs that open a file with several offer it as a whole calendar.
        attached = tuple(
            Attachment(f"termin-{number}.ics", "text/calendar", file)
            for number, file in enumerate(files, 1)
        )
        draft = self._draft(joint_letters.phrase(whole, parts), key.instance)
        slot = f"_{key.topic}" if key.topic else ""
        headers = () if key.is_copy else self._headers(key.kind, parts, slot=slot)
        # Mail programs put it beside the letters about the first of its sessions.
        root = self._root_of(parts[0]) if parts else None
        return replace(draft, attachments=attached, headers=headers, references=root)

    async def occasion(self, key: Key, meeting_id: UUID) -> Occasion:
        """Read what a letter with this key is about; raise `NotFoundError`."""
        row = await self._database.fetchrow(_MEETING, meeting_id)
        if row is None:
            raise NotFoundError
        notice = None
        if key.notice_id is not None:
            notice = await self._database.fetchrow(
                letter_statements.NOTICE, key.notice_id, key.known_id
            )
        return Occasion(
            kind=key.kind,
            locale=key.locale,
            public_url=self._services.settings.public_url,
            meeting=shown_meetings.from_row(row),
            now_facts=facts.read(row),
            instance=key.instance,
            is_first=key.is_first,
            has_partner=key.has_partner,
            stance=key.stance,
            holds=key.holds,
            has_deputy=key.has_deputy,
            is_copy=key.is_copy,
            before=changes.from_json(notice["before"]) if notice and notice["before"] else None,
            message=notice["message"] if notice else "",
            slot=key.slot,
            way=key.way,
            because=key.because,
            is_brief=key.is_brief,
            leads=key.leads,
            is_late=key.is_late,
            of_groups=key.group_names,
        )

    def entry_of(self, occasion: Occasion) -> Entry | None:
        """Describe what its letter brings to calendars; None where the date is not one for them."""
        if occasion.kind not in _WITH_CALENDAR or occasion.is_copy or _stays_away(occasion):
            return None
        if occasion.way is CalendarWay.FILE and occasion.kind in _WITH_BUTTONS_ONLY:
            return None
        if occasion.kind == "uncancellation" and occasion.now_facts.state is State.POSTPONED:
            return None
        settings, data = self._services.settings, occasion.instance
        voice = describing.voice_of(settings, occasion.locale, data.office_name, data.phone)
        return describing.invited_entry(occasion.meeting, voice)

    def _calendar(self, occasion: Occasion) -> Part | None:
        """Write the entry as a file."""
        entry = self.entry_of(occasion)
        if entry is None:
            return None
        # Whoever answered to an old date gets the entry as it is.
        is_request = occasion.kind == "answer_differs" and occasion.because == "old_date"
        kind = "invitation" if is_request else occasion.kind
        settings, data = self._services.settings, occasion.instance
        return requesting.write_part(entry, kind, occasion.way, settings, data)

    def _headers(
        self, kind: str, occasions: Sequence[Occasion], *, slot: str = ""
    ) -> tuple[tuple[str, str], ...]:
        return *self._list_header(occasions), *self._stop_headers(kind, slot)

    def _list_header(self, occasions: Sequence[Occasion]) -> tuple[tuple[str, str], ...]:
        """Let readers sort by whose session it is, the first group of all (RFC 2919 section 3)."""
        first = {occasion.meeting.groups[:1] for occasion in occasions}
        if len(first) != 1:
            return ()
        return tuple(
            ("List-Id", f"<{group.slug}.{self._services.settings.mail_domain}>")
            for group in first.pop()
            if _LABEL.fullmatch(group.slug)
        )

    def _stop_headers(self, kind: str, slot: str = "") -> tuple[tuple[str, str], ...]:
        """Let mail programs unsubscribe from what can be switched off (RFC 8058, RFC 2369)."""
        if kind not in preferences.TOPICS:
            return ()
        ways = f"<⟦link_unsubscribe{slot}⟧>"
        # No button without an ear: a program that only knows mail would write to nobody.
        _, _, domain = hearing.stop_address(self._services.settings).rpartition("@")
        if domain:
            ways += f", <mailto:⟦link_unsubscribe_mail{slot}⟧@{domain}>"
        return (
            ("List-Unsubscribe", ways),
            ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
        )

    def _draft(self, words: Words, instance: InstanceData) -> Draft:
        return Draft(
            subject=words.subject,
            text=wording.write_text(words),
            html=wording.write_html(words),
            reply_to=instance.email or None,
        )


def _stays_away(occasion: Occasion) -> bool:
    """Tell whether the date has no place in these people's own calendars."""
    away = {"declined", "represented"} if occasion.kind == "receipt" else {"declined"}
    return occasion.stance in away
