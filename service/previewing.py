"""Show letters and calendar entries before anything leaves, with sample words for the slots.

A letter is shown as most of those read it who get it: with the buttons that their programs would
get now, and once for each answer that makes it read differently.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from calendars import invitation
from calendars.entry import Entry
from notifications.letters import Draft
from service import describing, furnishing, occasions, requesting, summarising, weighing
from service.domain.words import Answer, Mode, NoticeKind
from service.drafting import Drafter, Key
from service.furnishing import InstanceData
from service.noticing import PlannedNotice
from service.occasions import Occasion
from service.pages.catalogue import LOCALES, texts
from service.rehearsing import Rehearsal
from service.requesting import Ear
from service.services import Services
from service.tables import notice_statements
from service.weighing import Standing, Ways

_SLOT = re.compile("⟦([a-z_]+)⟧")
# Where the letter is called otherwise than the notice that it comes from.
_LETTERS = {NoticeKind.CONFIRMED: "date_confirmed"}
_READERS = f"""
SELECT i.state, {notice_statements.AS_READERS}
FROM invitation i JOIN meeting m ON m.id = i.meeting_id
JOIN person p ON p.id = i.person_id AND p.anonymised_at IS NULL AND p.email IS NOT NULL
WHERE m.id = $1
"""


@dataclass(frozen=True, slots=True)
class ShownLetter:
    """One letter as its reader will see it, in one language; `draft` has its slots still open.

    `readers` names those who read it so, "" where it is the same for all. `entry` is what their
    calendars get.
    """

    kind: str
    locale: str
    subject: str
    text: str
    draft: Draft
    entry: Entry | None = None
    readers: str = ""
    standing: Standing = weighing.NOBODY

    @property
    def name(self) -> str:
        """Tell it from the others of its preview."""
        return f"{self.kind}:{self.readers}:{self.locale}"


@dataclass(frozen=True, slots=True)
class _Row:
    """A reader out of the database."""

    answer: str | None
    holds: bool
    channel: str | None
    is_first: bool


def show_letters(
    services: Services, instance: InstanceData, rehearsal: Rehearsal
) -> list[ShownLetter]:
    """Return the letter of each notice that would wait, in both languages."""
    shown = []
    for kind in dict.fromkeys(notice.kind for notice in rehearsal.notices):
        notices = [notice for notice in rehearsal.notices if notice.kind is kind]
        for readers, standing in _standings(services, rehearsal, notices):
            occasion = _occasion(services, instance, rehearsal, notices[0], standing)
            for locale in LOCALES:
                letter = _show(services, replace(occasion, locale=locale), standing)
                shown.append(replace(letter, kind=kind.value, readers=readers))
    return shown


def find(letters: Sequence[ShownLetter], name: str) -> ShownLetter | None:
    """Return the letter of this name, or the likest one: what was typed since may ask others."""
    kind, _, rest = name.partition(":")
    readers, _, locale = rest.partition(":")

    def distance(letter: ShownLetter) -> int:
        if letter.readers == readers:
            return 0
        return 1 if _answer(letter.readers) == _answer(readers) else 2

    alike = [letter for letter in letters if (letter.kind, letter.locale) == (kind, locale)]
    return min(alike, key=distance, default=None)


def _answer(readers: str) -> str:
    return readers.removesuffix("_again")


async def show_of_session(
    services: Services, kind: str, locale: str, meeting_id: UUID
) -> ShownLetter:
    """Return a letter of a session as it is saved; raise `NotFoundError` without that session."""
    database, drafter = services.database, Drafter(services)
    instance = (await furnishing.look(database)).instance
    key = Key(kind=kind, locale=locale, instance=instance, meeting_id=meeting_id)
    if kind == summarising.KIND:
        found = await summarising.read(database, meeting_id, locale, services.clock())
        draft = await drafter.write(replace(key, summary=found.shape))
        return ShownLetter(kind, locale, draft.subject, draft.text, draft)
    async with database.reading() as connection:
        rows = await connection.fetch(_READERS, meeting_id)
        ear = await requesting.read_ear(connection)
    people = [
        _Row(row["answer"], row["holds"], row["channel"], row["is_first"])
        for row in rows
        if _gets(kind, row)
    ]
    occasion = await drafter.occasion(key, meeting_id)
    standing = weighing.weigh(kind, people, _ways(services, ear))
    if not people:
        standing = replace(_usual(kind, occasion.now_facts.mode), way=standing.way)
    return _show(services, _as_read(occasion, standing), standing)


async def show_both(services: Services, kind: str, meeting_id: UUID) -> list[ShownLetter]:
    """Return a letter of a session in each language; raise `NotFoundError` without that session."""
    return [await show_of_session(services, kind, each, meeting_id) for each in LOCALES]


def _as_read(occasion: Occasion, standing: Standing) -> Occasion:
    return replace(
        occasion,
        stance=standing.stance,
        holds=standing.holds,
        way=standing.way,
        is_first=standing.is_first,
    )


def _gets(kind: str, row: Mapping[str, Any]) -> bool:
    """Tell whether somebody of a session gets a letter of this kind."""
    state, answer, holds = row["state"], row["answer"], row["holds"]
    if kind == "invitation":
        return bool(state == "planned")
    if kind == "uninvited":
        return bool(state == "uninvited")
    if kind == "nudge":
        return bool(state == "invited" and not holds and answer != Answer.DECLINED)
    if kind == "reminder":
        return bool(state == "invited" and holds and weighing.accepts(answer))
    return bool(state == "invited")


def show_entry(services: Services, instance: InstanceData, rehearsal: Rehearsal) -> str | None:
    """Return the calendar entry as its file writes it, None where the date is too rough."""
    voice = describing.voice_of(
        services.settings, "de", instance.office_name or None, instance.phone or None
    )
    entry = describing.public_entry(rehearsal.meeting, voice)
    return None if entry is None else invitation.render_download(entry).decode()


def effect_on_calendars(rehearsal: Rehearsal) -> str:
    """Name what calendars will do, as the end of a text id."""
    before, after, effect = rehearsal.before, rehearsal.after, rehearsal.saved.effect
    if after.state in {"cancelled", "postponed"}:
        return "gone"
    if after.precision in {"week", "month"}:
        return "rough"
    if before.state in {"draft", "cancelled", "postponed"}:
        return "new_tentative" if after.state == "tentative" else "new"
    if effect.bumps_time_rev:
        return "moves"
    return "updated" if effect.bumps_sequence else "text"


def _occasion(
    services: Services,
    instance: InstanceData,
    rehearsal: Rehearsal,
    notice: PlannedNotice,
    standing: Standing,
) -> Occasion:
    occasion = Occasion(
        kind=_LETTERS.get(notice.kind, notice.kind.value),
        locale=LOCALES[0],
        public_url=services.settings.public_url,
        meeting=rehearsal.meeting,
        now_facts=rehearsal.after,
        instance=instance,
        before=rehearsal.known.get(notice.kind, rehearsal.before),
        message=notice.message,
    )
    return _as_read(occasion, standing)


def _show(services: Services, occasion: Occasion, standing: Standing) -> ShownLetter:
    drafter, public_url = Drafter(services), services.settings.public_url
    is_late = occasions.is_over(occasion.now_facts.answer_by_at, services.clock())
    occasion = replace(occasion, is_late=is_late)
    draft = drafter.draft_of(occasion)
    return ShownLetter(
        kind=occasion.kind,
        locale=occasion.locale,
        subject=draft.subject,
        text=fill(draft.text, occasion.locale, public_url),
        draft=draft,
        entry=None if draft.calendar is None else drafter.entry_of(occasion),
        standing=standing,
    )


def _standings(
    services: Services, rehearsal: Rehearsal, notices: Sequence[PlannedNotice]
) -> list[tuple[str, Standing]]:
    """Return who reads the letter of these notices how, one entry an answer that really occurs."""
    first, ways = notices[0], _ways(services, rehearsal.ear)
    kind = _LETTERS.get(first.kind, first.kind.value)
    people = [each for notice in notices for each in notice.recipients if each.has_address]
    if not people:
        return [("", _usual(kind, rehearsal.before.mode, holds=not first.asks_again))]
    if kind not in occasions.WITH_STANCE:
        return [("", weighing.weigh(kind, people, ways))]
    groups = weighing.by_answer(people)
    return [(name, weighing.weigh(kind, each, ways)) for name, each in groups.items()]


def _usual(kind: str, mode: Mode, *, holds: bool = True) -> Standing:
    """Show what nobody gets so far as somebody would read it who had accepted."""
    if kind not in occasions.WITH_STANCE or kind == "nudge":
        return weighing.NOBODY
    stance = Answer.ONLINE if mode is Mode.ONLINE else Answer.IN_PERSON
    return Standing(stance=stance, holds=holds)


def _ways(services: Services, ear: Ear) -> Ways:
    settings, now = services.settings, services.clock()
    return lambda channel: requesting.way_to(channel, ear, settings, now)


def fill(text: str, locale: str, public_url: str, *, token: str | None = None) -> str:
    """Put words of nobody into the slots, and links that open nothing, ending in `token`."""
    t = texts(locale).t
    name, partner = t("preview.sample_name"), t("preview.sample_partner")
    words = {"name": name, "partner": partner, "addressee": f"{name}, {partner}"}
    link = f"{public_url}/a/{token or t('preview.sample_link')}"

    def word_for(slot: re.Match[str]) -> str:
        return link if slot[1].startswith("link") else words.get(slot[1], name)

    return _SLOT.sub(word_for, text)
