"""The clerk that the postman asks whether a letter still holds, for whom, and in which words."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from calendars import invitation
from notifications import addresses
from notifications.clerk import Go, Stop
from notifications.letters import Draft
from service import (
    describing,
    digesting,
    furnishing,
    hearing,
    judging,
    phrasing,
    plain_letters,
    preferring,
    subscribing,
    tokens,
    wording,
)
from service.database import Database
from service.digesting import Shape
from service.domain import changes, preferences
from service.domain.changes import MeetingFacts
from service.domain.errors import NotFoundError
from service.domain.words import State
from service.furnishing import InstanceData
from service.occasions import Occasion
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.services import Services
from service.tables import facts, letter_statements, shown_meetings
from service.tokens import Purpose
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
    }
)
# Kinds that speak of the recipient's own answer; the others are the same for everybody.
_WITH_STANCE = frozenset(
    {"date_confirmed", "nudge", "reminder", "change", "uncancellation", "receipt"}
)
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
    is_first: bool = False
    stance: str = ""
    holds: bool = False
    has_deputy: bool = False
    is_copy: bool = False
    digest: Shape | None = None
    text_only: bool = False
    no_calendar: bool = False


class Clerk:
    """Judges and composes with what the database says now."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._database: Database = services.database

    async def look_up(self, ids: Sequence[UUID]) -> Mapping[UUID, Go | Stop]:
        """Answer for a claimed batch with one query."""
        rows = await self._database.fetch(letter_statements.LOOK_UP, list(ids))
        office = await furnishing.look(self._database)
        return {
            row["id"]: await self._judge(row, office.instance, is_ready=office.is_ready)
            for row in rows
        }

    async def compose(self, prototype_key: Hashable) -> Draft:
        """Write what all recipients with this key have in common."""
        if not isinstance(prototype_key, Key):
            raise TypeError(prototype_key)
        draft = await self._write(prototype_key)
        return replace(draft, html="") if prototype_key.text_only else draft

    async def _write(self, key: Key) -> Draft:
        if key.meeting_id is None:
            public_url = self._services.settings.public_url
            if key.digest is not None:
                return self._digest_draft(key, key.digest)
            words = plain_letters.phrase(key.kind, key.locale, key.instance, public_url)
            return self._draft(words, key.instance)
        occasion = await self._occasion(key, key.meeting_id)
        return self.draft_of(occasion, no_calendar=key.no_calendar)

    async def preview(
        self,
        kind: str,
        locale: str,
        meeting_id: UUID,
        *,
        before: MeetingFacts | None = None,
        message: str = "",
    ) -> Draft:
        """Write a letter before anybody gets it, as most recipients will see it.

        `before` is what people were told last, for a change. Slots stay open.
        """
        instance = (await furnishing.look(self._database)).instance
        key = Key(kind=kind, locale=locale, instance=instance, meeting_id=meeting_id)
        occasion = await self._occasion(key, meeting_id)
        return self.draft_of(replace(occasion, before=before, message=message))

    def draft_of(self, occasion: Occasion, *, no_calendar: bool = False) -> Draft:
        """Write the letter of an occasion that is known as a whole."""
        calendar = None if no_calendar else self._calendar(occasion)
        words = phrasing.phrase(replace(occasion, has_calendar=calendar is not None))
        return replace(
            self._draft(words, occasion.instance),
            calendar=calendar,
            headers=() if occasion.is_copy else self._stop_headers(occasion.kind),
            references=f"<meeting-{occasion.meeting.uid}@{self._services.settings.mail_domain}>",
        )

    async def _judge(
        self, row: Mapping[str, Any], instance: InstanceData, *, is_ready: bool
    ) -> Go | Stop:
        stop = self._stop(row, is_ready=is_ready)
        if stop is not None:
            return stop
        if row["address_state"] == "undeliverable" and not await self._may_probe(row):
            return Stop("undeliverable", "held")
        return _as_wished(await self._go(row, instance), row)

    async def _go(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        if row["kind"] == "lost_links":
            return await self._lost_links(row, instance)
        if row["kind"] == digesting.KIND:
            return await self._digest(row, instance)
        plain = {"sign_in": self._sign_in, "hint_received": self._hint, "probe": self._probe}
        return plain.get(row["kind"], self._about_meeting)(row, instance)

    def _stop(self, row: Mapping[str, Any], *, is_ready: bool) -> Stop | None:
        reason = judging.judge(row, self._services.clock())
        if reason is not None:
            return Stop(reason)
        if row["kind"] != "sign_in" and not is_ready:
            return Stop("not_ready", "held")
        held = judging.held_because(row)
        return Stop(held, "held") if held else None

    async def _may_probe(self, row: Mapping[str, Any]) -> bool:
        """Let one letter try an address that does not work, whoever else asks at the same time."""
        if row["kind"] not in judging.PROBES:
            return True
        async with self._database.unit_of_work() as unit:
            return await addresses.probe(unit.connection, row["address_normal"], row["id"])

    def _about_meeting(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        name, partner = row["person_name"], row["organisation_name"]
        values = {
            "name": name,
            "addressee": f"{name}, {partner}" if partner else name,
            "deputy": row["deputy_name"],
            **self._links(row["handle"], row["epoch"], row["locale"]),
            **self._wish_links(row),
        }
        key = Key(
            kind=row["kind"],
            locale=row["locale"],
            instance=instance,
            meeting_id=row["subject_id"],
            revision=row["meeting_revision"],
            group_names=tuple(row["group_names"]),
            notice_id=row["notice_id"],
            is_first=row["first_letter_on"] is None,
            is_copy=row["is_copy"],
        )
        if key.kind in _WITH_STANCE:
            stance, has_deputy = row["answer"] or "", bool(row["deputy_name"])
            key = replace(key, stance=stance, holds=bool(row["holds"]), has_deputy=has_deputy)
        if key.is_copy:
            name = texts(key.locale).t("letter.copy.to", name=name)
        return Go(row["person_email"], name, values, key)

    def _links(self, handle: UUID, epoch: int, locale: str) -> dict[str, str]:
        token = tokens.derive(self._services.keys, Purpose.ANSWER, handle, epoch)
        address = f"{self._services.settings.public_url}{localised(f'/a/{token}', locale)}"
        links = {
            f"link_{answer}": f"{address}?w={word}" for answer, word in phrasing.CHOICES.items()
        }
        return links | {"link_answer": address}

    def _wish_links(self, row: Mapping[str, Any]) -> dict[str, str]:
        """Return the links by which the person says which letters to get."""
        topic = None if row["is_copy"] else preferences.TOPICS.get(row["kind"])
        public_url, locale = self._services.settings.public_url, row["locale"]

        def address(path: str) -> str:
            return f"{public_url}{localised(path, locale)}"

        return preferring.letter_links(self._services.keys, row, topic, address)

    def _sign_in(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        keys, token_id = self._services.keys, row["token_id"]
        path = f"/anmelden/l/{tokens.one_time_secret(keys, token_id)}"
        address = f"{self._services.settings.public_url}{localised(path, row['locale'])}"
        values = {"link_sign_in": address, "code": tokens.one_time_code(keys, token_id)}
        key = Key(kind="sign_in", locale=row["locale"], instance=instance)
        return Go(row["account_email"], row["account_name"], values, key, frozenset({"code"}))

    def _probe(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        key = Key(kind="probe", locale=row["locale"], instance=instance)
        return Go(self._office(instance), instance.office_name, {}, key)

    def _office(self, instance: InstanceData) -> str:
        return instance.email or self._services.settings.mail_from

    def _hint(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        values = {"lines": plain_letters.hint_lines(row["cause"], row["locale"])}
        key = Key(kind="hint_received", locale=row["locale"], instance=instance)
        # The cause holds the words already; a second copy would only have to be purged too.
        return Go(self._office(instance), instance.office_name, values, key, frozenset({"lines"}))

    async def _lost_links(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        """Mail all open links of everybody who shares the address, each under its name."""
        found = await self._database.fetch(letter_statements.OPEN_LINKS, row["recipient_id"])
        locale = row["locale"]
        lines = [self._open_link(link, locale) for link in found]
        lines = lines or [texts(locale).t("letter.lost_links.none")]
        lines += await self._own_calendars(row["recipient_id"], locale)
        values = {
            "name": row["person_name"],
            "lines": "\n\n".join(lines),
            **self._wish_links(row),
        }
        key = Key(kind="lost_links", locale=locale, instance=instance)
        return Go(row["person_email"], row["person_name"], values, key, frozenset({"lines"}))

    async def _digest(self, row: Mapping[str, Any], instance: InstanceData) -> Go:
        locale = row["locale"]
        found = await digesting.read(self._database, row["cause"], locale)
        links = {
            f"link_{name}": self._links(asked["handle"], asked["epoch"], locale)["link_answer"]
            for name, asked in zip(digesting.slots(found.shape.asks), found.asked, strict=True)
        }
        name = row["person_name"]
        values = {"name": name, **found.values, **links, **self._wish_links(row)}
        key = Key(kind=digesting.KIND, locale=locale, instance=instance, digest=found.shape)
        return Go(row["person_email"], name, values, key)

    def _digest_draft(self, key: Key, shape: Shape) -> Draft:
        public_url = self._services.settings.public_url
        words = plain_letters.phrase_digest(key.locale, key.instance, public_url, shape)
        return replace(self._draft(words, key.instance), headers=self._stop_headers(key.kind))

    def _open_link(self, link: Mapping[str, Any], locale: str) -> str:
        starts = link["starts_local"]
        day = f", {dates.format_short_date(starts.date(), locale)}" if starts else ""
        address = self._links(link["handle"], link["epoch"], locale)["link_answer"]
        return f"{link['full_name']}: {link['title']}{day}\n{address}"

    async def _own_calendars(self, person_id: UUID, locale: str) -> list[str]:
        """Write the calendar address of everybody who shares the address; it opens without more."""
        label = texts(locale).t("letter.lost_links.calendar")
        lines = []
        for person in await self._database.fetch(letter_statements.SHARING, person_id):
            own = await subscribing.find_personal(self._database, self._services.keys, person["id"])
            if own is not None:
                address = f"{self._services.settings.public_url}{own.path}"
                lines.append(f"{person['full_name']}: {label}\n{address}")
        return lines

    async def _occasion(self, key: Key, meeting_id: UUID) -> Occasion:
        row = await self._database.fetchrow(_MEETING, meeting_id)
        if row is None:
            raise NotFoundError
        notice = None
        if key.notice_id is not None:
            notice = await self._database.fetchrow(letter_statements.NOTICE, key.notice_id)
        return Occasion(
            kind=key.kind,
            locale=key.locale,
            public_url=self._services.settings.public_url,
            meeting=shown_meetings.from_row(row),
            now_facts=facts.read(row),
            instance=key.instance,
            is_first=key.is_first,
            stance=key.stance,
            holds=key.holds,
            has_deputy=key.has_deputy,
            is_copy=key.is_copy,
            before=changes.from_json(notice["before"]) if notice and notice["before"] else None,
            message=notice["message"] if notice else "",
        )

    def _calendar(self, occasion: Occasion) -> bytes | None:
        """Write the entry as a file; None where the letter's date is not one for a calendar."""
        if occasion.kind not in _WITH_CALENDAR or occasion.is_copy or _stays_away(occasion):
            return None
        if occasion.kind == "uncancellation" and occasion.now_facts.state is State.POSTPONED:
            return None
        settings, data = self._services.settings, occasion.instance
        voice = describing.voice_of(settings, occasion.locale, data.office_name, data.phone)
        entry = describing.invited_entry(occasion.meeting, voice)
        return None if entry is None else invitation.render_download(entry)

    def _stop_headers(self, kind: str) -> tuple[tuple[str, str], ...]:
        """Let mail programs unsubscribe from what can be switched off (RFC 8058, RFC 2369)."""
        if kind not in preferences.TOPICS:
            return ()
        ways = "<⟦link_unsubscribe⟧>"
        # No button without an ear: a program that only knows mail would write to nobody.
        if hearing.stop_address(self._services.settings):
            domain = hearing.stop_address(self._services.settings).rpartition("@")[2]
            ways += f", <mailto:⟦link_unsubscribe_mail⟧@{domain}>"
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


def _as_wished(go: Go, row: Mapping[str, Any]) -> Go:
    """Let the letter look as its reader wants it; a copy is for somebody else."""
    key = go.prototype_key
    if row["is_copy"] or not isinstance(key, Key):
        return go
    text_only, no_calendar = bool(row["text_only"]), bool(row["no_calendar"])
    return replace(go, prototype_key=replace(key, text_only=text_only, no_calendar=no_calendar))
