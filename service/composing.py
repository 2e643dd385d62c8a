"""The clerk that the postman asks whether a letter still holds, for whom, and in which words."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from calendars import invitation
from calendars.entry import Organiser
from notifications.clerk import Go, Stop
from notifications.letters import Draft
from service import describing, furnishing, judging, phrasing, tokens, wording
from service.database import Database
from service.describing import Voice
from service.domain import changes
from service.domain.errors import NotFoundError
from service.furnishing import InstanceData
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.services import Services
from service.tables import facts, letter_statements, shown_meetings
from service.tokens import Purpose
from service.wording import Block, Words, paragraph

# Kinds whose calendar file the reader's program should take in.
_WITH_CALENDAR = frozenset(
    {
        "invitation",
        "date_confirmed",
        "confirmed",
        "change",
        "cancellation",
        "postponed",
        "uncancellation",
        "receipt",
        "reminder",
    }
)
_MEETING = f"{shown_meetings.SELECT}, meeting.capacity FROM meeting WHERE meeting.id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What letters with the same wording have in common."""

    kind: str
    locale: str
    meeting_id: UUID | None = None
    revision: int = 0
    notice_id: UUID | None = None
    is_first: bool = False
    stance: str = ""
    holds: bool = False
    cause: str = ""


class Clerk:
    """Judges and composes with what the database says now."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._database: Database = services.database

    async def look_up(self, ids: Sequence[UUID]) -> Mapping[UUID, Go | Stop]:
        """Answer for a claimed batch with one query."""
        rows = await self._database.fetch(letter_statements.LOOK_UP, list(ids))
        is_ready = await furnishing.is_ready(self._database)
        return {row["id"]: await self._judge(row, is_ready=is_ready) for row in rows}

    async def _judge(self, row: Mapping[str, Any], *, is_ready: bool) -> Go | Stop:
        reason = judging.judge(row, self._services.clock())
        if reason is not None:
            return Stop(reason)
        if row["kind"] != "sign_in" and not is_ready:
            return Stop("not_ready", "held")
        if judging.is_held_back(row):
            return Stop("undeliverable", "held")
        return await self._address(row)

    async def _address(self, row: Mapping[str, Any]) -> Go:
        if row["kind"] == "sign_in":
            return self._sign_in(row)
        if row["kind"] == "hint_received":
            return await self._hint(row)
        if row["kind"] == "lost_links":
            return await self._lost_links(row)
        values = {"name": row["person_name"], "partner": row["organisation_name"] or " "}
        values |= self._links(row["handle"], row["epoch"], row["locale"])
        stance = _stance(row)
        key = Key(
            kind=row["kind"],
            locale=row["locale"],
            meeting_id=row["subject_id"],
            revision=row["meeting_revision"],
            notice_id=row["notice_id"],
            is_first=row["first_letter_on"] is None,
            stance=stance,
            holds=bool(row["holds"]),
        )
        return Go(row["person_email"], row["person_name"], values, key)

    def _links(self, handle: UUID, epoch: int, locale: str) -> dict[str, str]:
        token = tokens.derive(self._services.keys, Purpose.ANSWER, handle, epoch)
        path = localised(f"/a/{token}", locale)
        address = f"{self._services.settings.public_url}{path}"
        links = {
            f"link_{answer}": f"{address}?w={word}" for answer, word in phrasing.CHOICES.items()
        }
        return links | {"link_answer": address}

    def _sign_in(self, row: Mapping[str, Any]) -> Go:
        keys, token_id = self._services.keys, row["token_id"]
        path = f"/anmelden/l/{tokens.one_time_secret(keys, token_id)}"
        address = f"{self._services.settings.public_url}{localised(path, row['locale'])}"
        values = {"link_sign_in": address, "code": tokens.one_time_code(keys, token_id)}
        key = Key(kind="sign_in", locale=row["locale"])
        return Go(row["account_email"], row["account_name"], values, key, frozenset({"code"}))

    async def _hint(self, row: Mapping[str, Any]) -> Go:
        instance = (await furnishing.look(self._database)).instance
        cause = row["cause"]
        values = {
            name: str(cause.get(name) or " ") for name in ("page", "problem", "email", "need")
        }
        key = Key(kind="hint_received", locale=row["locale"])
        address = instance.email or self._services.settings.mail_from
        return Go(address, instance.office_name, values, key)

    async def _lost_links(self, row: Mapping[str, Any]) -> Go:
        """Mail all open links of everybody who shares the address, each under its name."""
        found = await self._database.fetch(letter_statements.OPEN_LINKS, row["recipient_id"])
        locale = row["locale"]
        lines = []
        for link in found:
            day = (
                ""
                if link["starts_local"] is None
                else dates.format_short_date(link["starts_local"].date(), locale)
            )
            address = self._links(link["handle"], link["epoch"], locale)["link_answer"]
            lines.append(f"{link['full_name']}: {link['title']} {day}".strip() + f"\n{address}")
        none = texts(locale).t("letter.lost_links.none")
        values = {"name": row["person_name"], "lines": "\n\n".join(lines) or none}
        key = Key(kind="lost_links", locale=locale)
        return Go(
            row["person_email"], row["person_name"], values, key, secrets=frozenset({"lines"})
        )

    async def compose(self, prototype_key: Hashable) -> Draft:
        """Write what all recipients with this key have in common."""
        assert isinstance(prototype_key, Key)  # noqa: S101 - the clerk made it itself
        instance = (await furnishing.look(self._database)).instance
        if prototype_key.meeting_id is None:
            words = _plain_words(prototype_key, instance, self._services.settings.public_url)
            return self._draft(words, instance)
        return await self._compose_meeting(prototype_key, prototype_key.meeting_id, instance)

    async def _compose_meeting(self, key: Key, meeting_id: UUID, instance: InstanceData) -> Draft:
        row = await self._database.fetchrow(_MEETING, meeting_id)
        if row is None:
            raise NotFoundError
        notice = None
        if key.notice_id is not None:
            notice = await self._database.fetchrow(letter_statements.NOTICE, key.notice_id)
        occasion = phrasing.Occasion(
            kind=key.kind,
            locale=key.locale,
            public_url=self._services.settings.public_url,
            meeting=shown_meetings.from_row(row),
            now_facts=facts.read(row),
            instance=instance,
            is_first=key.is_first,
            stance=key.stance,
            holds=key.holds,
            before=changes.from_json(notice["before"]) if notice and notice["before"] else None,
            message=notice["message"] if notice else "",
        )
        return self.draft_of(occasion)

    def draft_of(self, occasion: phrasing.Occasion) -> Draft:
        """Write the letter of an occasion; the preview of the office shows the same."""
        calendar = None
        if occasion.kind in _WITH_CALENDAR:
            entry = describing.invited_entry(occasion.meeting, self._voice(occasion))
            calendar = None if entry is None else invitation.render_download(entry)
        return self._draft(phrasing.phrase(occasion), occasion.instance, calendar, occasion)

    def _voice(self, occasion: phrasing.Occasion) -> Voice:
        data, settings = occasion.instance, self._services.settings
        contact = ", ".join(part for part in (data.office_name, data.phone) if part)
        organiser = Organiser(data.office_name or settings.mail_from_name, settings.mail_from)
        return Voice(occasion.locale, settings.public_url, organiser, contact)

    def _draft(
        self,
        words: Words,
        instance: InstanceData,
        calendar: bytes | None = None,
        occasion: phrasing.Occasion | None = None,
    ) -> Draft:
        settings = self._services.settings
        root = f"<meeting-{occasion.meeting.uid}@{settings.mail_domain}>" if occasion else None
        return Draft(
            subject=words.subject,
            text=wording.write_text(words),
            html=wording.write_html(words),
            calendar=calendar,
            reply_to=instance.email or None,
            references=root,
        )


def _stance(row: Mapping[str, Any]) -> str:
    return row["answer"] or ""


def _plain_words(key: Key, instance: InstanceData, public_url: str) -> Words:
    """Write the letters that are about no meeting."""
    t = texts(key.locale).t
    title = t(f"letter.{key.kind}.title", instance=instance.name)
    footer = [
        paragraph(t(f"letter.{key.kind}.why", instance=instance.name)),
        Block(
            "links",
            rows=[
                (t("frame.imprint"), f"{public_url}{localised('/impressum', key.locale)}"),
                (t("frame.privacy"), f"{public_url}{localised('/datenschutz', key.locale)}"),
            ],
        ),
    ]
    return Words(title, title, key.locale, _PLAIN[key.kind](t), footer)


def _sign_in_blocks(t: Any) -> list[Block]:
    return [
        paragraph(t("letter.sign_in.lead")),
        Block("links", rows=[(t("letter.sign_in.link"), "⟦link_sign_in⟧")]),
        Block("lines", f"{t('letter.sign_in.code')}\n⟦code⟧"),
        paragraph(t("letter.sign_in.not_you")),
    ]


def _lost_links_blocks(t: Any) -> list[Block]:
    return [
        Block("lines", f"{t('letter.for')}\n⟦name⟧"),
        paragraph(t("letter.lost_links.lead")),
        Block("lines", "⟦lines⟧"),
    ]


def _hint_blocks(t: Any) -> list[Block]:
    names = ("page", "problem", "email", "need")
    return [
        paragraph(t("letter.hint_received.lead")),
        *(Block("lines", f"{t(f'letter.hint_received.{name}')}\n⟦{name}⟧") for name in names),
    ]


_PLAIN = {
    "sign_in": _sign_in_blocks,
    "lost_links": _lost_links_blocks,
    "hint_received": _hint_blocks,
}
