"""Show letters and calendar entries before anything leaves, with sample words for the slots."""

import re
from dataclasses import dataclass

from calendars import invitation
from notifications.letters import Draft
from service import composing, describing
from service.domain.words import Mode, NoticeKind
from service.furnishing import InstanceData
from service.occasions import Occasion
from service.pages.catalogue import LOCALES, texts
from service.rehearsing import Rehearsal
from service.services import Services

_SLOT = re.compile("⟦([a-z_]+)⟧")
# Where the letter is called otherwise than the notice that it comes from.
_LETTERS = {NoticeKind.CONFIRMED: "date_confirmed"}


@dataclass(frozen=True, slots=True)
class ShownLetter:
    """One letter as its reader will see it, in one language; `draft` has its slots still open."""

    kind: str
    locale: str
    subject: str
    text: str
    draft: Draft

    @property
    def name(self) -> str:
        """Tell it from the others of its preview."""
        return f"{self.kind}:{self.locale}"


def show_letters(
    services: Services, instance: InstanceData, rehearsal: Rehearsal
) -> list[ShownLetter]:
    """Return the letter of each notice that would wait, in both languages."""
    clerk = composing.Clerk(services)
    kinds = dict.fromkeys(notice.kind for notice in rehearsal.notices)
    return [
        _show(clerk, services, instance, rehearsal, kind, locale)
        for kind in kinds
        for locale in LOCALES
    ]


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


def _show(  # noqa: PLR0917 - one letter of one kind in one language
    clerk: composing.Clerk,
    services: Services,
    instance: InstanceData,
    rehearsal: Rehearsal,
    kind: NoticeKind,
    locale: str,
) -> ShownLetter:
    notice = next(each for each in rehearsal.notices if each.kind is kind)
    draft = clerk.draft_of(
        Occasion(
            kind=_LETTERS.get(kind, kind.value),
            locale=locale,
            public_url=services.settings.public_url,
            meeting=rehearsal.meeting,
            now_facts=rehearsal.after,
            instance=instance,
            stance=_stance(rehearsal, kind),
            holds=not notice.asks_again,
            before=rehearsal.known.get(kind, rehearsal.before),
            message=notice.message,
        )
    )
    text = fill(draft.text, locale, services.settings.public_url)
    return ShownLetter(kind.value, locale, draft.subject, text, draft)


def _stance(rehearsal: Rehearsal, kind: NoticeKind) -> str:
    """Show changes as somebody reads them who had accepted."""
    if kind in {NoticeKind.INVITATION, NoticeKind.NUDGE}:
        return ""
    return "online" if rehearsal.before.mode is Mode.ONLINE else "in_person"


def fill(text: str, locale: str, public_url: str, *, token: str | None = None) -> str:
    """Put words of nobody into the slots, and links that open nothing, ending in `token`."""
    t = texts(locale).t
    name, partner = t("preview.sample_name"), t("preview.sample_partner")
    words = {"name": name, "partner": partner, "addressee": f"{name}, {partner}"}
    link = f"{public_url}/a/{token or t('preview.sample_link')}"

    def word_for(slot: re.Match[str]) -> str:
        return link if slot[1].startswith("link") else words.get(slot[1], name)

    return _SLOT.sub(word_for, text)
