"""Letters about several sessions: one person reads once what is new with each of them.

Each session is a section with its own answer link; what concerns all of them stands before and
after. Sections say the same as the single letters do, but for long texts, which the page behind
the link shows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from service import describing, footing, occasions, phrasing
from service.domain.preferences import Topic
from service.domain.words import State
from service.furnishing import InstanceData
from service.occasions import Occasion
from service.pages.catalogue import texts
from service.wording import Block, Words, facts, paragraph


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """What all sections share; `files` counts the calendar files beside the letter.

    `topic` is what its link for unsubscribing switches off, None where nothing can be.
    """

    kind: str
    locale: str
    instance: InstanceData
    is_first: bool = False
    is_copy: bool = False
    files: int = 0
    topic: Topic | None = None

    def t(self, key: str, /, **values: object) -> str:
        """Return a text in the letter's language."""
        return texts(self.locale).t(key, **values)


def phrase(whole: Whole, parts: Sequence[Occasion]) -> Words:
    """Write the letter; the parts come in the order of its sections."""
    kind = _kind(whole, parts)
    values = {"n": len(parts), "groups": _groups(parts), "title": parts[0].meeting.title}
    amount = "one" if len(parts) == 1 else "many"
    subject = whole.t(f"letter.{kind}.subject_{amount}", **values)
    return Words(
        subject=subject,
        title=subject,
        locale=whole.locale,
        blocks=[
            *([paragraph(whole.t("letter.copy.lead"))] if whole.is_copy else []),
            paragraph(whole.t("letter.greeting")),
            paragraph(whole.t(f"letter.{kind}.lead_{amount}", **values)),
            *_how_to_answer(whole, parts),
            *(block for part in parts for block in _section(part)),
            *_files(whole),
            *(phrasing.first_time(parts[0]) if whole.is_first else []),
        ],
        footer=_footer(whole, parts),
    )


def _kind(whole: Whole, parts: Sequence[Occasion]) -> str:
    """Return whose words are right: several invitations are no change."""
    is_asking = all(part.kind == "invitation" for part in parts)
    return "invitations" if whole.kind == "several" and is_asking else whole.kind


def _groups(parts: Sequence[Occasion]) -> str:
    return ", ".join(dict.fromkeys(part.group_names for part in parts))


def _how_to_answer(whole: Whole, parts: Sequence[Occasion]) -> list[Block]:
    links = sum(bool(_answer(part)) for part in parts)
    if not links:
        return []
    return [paragraph(whole.t(f"letter.part.how_{'one' if links == 1 else 'many'}"))]


def _section(part: Occasion) -> list[Block]:
    heading = Block("heading", part.meeting.title)
    return [heading, *_NEWS[part.kind](part), *_answer(part)]


def _answer(part: Occasion) -> list[Block]:
    """Link to the page of this invitation where an answer can be given."""
    if not part.takes_answers or part.kind not in _ANSWERED:
        return []
    key = "letter.part.answer" if part.asks else "letter.part.change_answer"
    label = part.t(key, title=part.meeting.title)
    return [Block("choices", rows=[(label, f"⟦link_answer{part.slot}⟧")])]


def _lead(part: Occasion) -> Block:
    return paragraph(part.t(f"letter.part.{part.kind}"))


def _invitation(part: Occasion) -> list[Block]:
    return [
        _lead(part),
        *phrasing.message(part),
        *_dates(part, with_deadline=True),
        *phrasing.access(part),
    ]


def _change(part: Occasion) -> list[Block]:
    rows = occasions.changed_rows(part) if part.kind == "change" else []
    return [
        _lead(part),
        *phrasing.message(part),
        *([Block("changes", rows=rows)] if rows else []),
        *(phrasing.changed_texts(part) if part.kind == "change" else []),
        *phrasing.change_ending(part),
        *_dates(part, with_deadline=part.asks),
        *phrasing.access(part),
    ]


def _cancellation(part: Occasion) -> list[Block]:
    reason = part.meeting.cancel_reason
    added = phrasing.message(part) if part.message != reason else []
    return [_lead(part), *added, *_called_off(part, reason)]


def _postponed(part: Occasion) -> list[Block]:
    return [_lead(part), *_called_off(part, part.message)]


def _called_off(part: Occasion, reason: str) -> list[Block]:
    """Say when it was planned and why it is off; the title stands above."""
    return [replace(block, rows=block.rows[1:]) for block in phrasing.called_off(part, reason)]


def _uncancellation(part: Occasion) -> list[Block]:
    state = part.now_facts.state
    if state is State.CONFIRMED:
        return _change(part)
    lead = paragraph(part.t(f"letter.part.uncancellation_{state}"))
    return [lead, *phrasing.message(part), *_dates(part, with_deadline=False)]


def _reminder(part: Occasion) -> list[Block]:
    is_open = part.stance == "undecided" or part.asks
    return [
        _lead(part),
        *_dates(part, with_deadline=is_open),
        *(phrasing.own_answer(part) if part.holds else []),
        *phrasing.access(part),
    ]


def _uninvited(part: Occasion) -> list[Block]:
    return [_lead(part), *_dates(part, with_deadline=False)]


def _dates(part: Occasion, *, with_deadline: bool) -> list[Block]:
    """Say when, where and until when; the title stands above."""
    t, now, locale = part.t, part.now_facts, part.locale
    rows = facts(
        (t("letter.when"), occasions.when(now, locale)),
        (t("letter.where"), occasions.where_now(now, locale)),
        (t("letter.access"), now.place_access if part.kind != "uninvited" else ""),
        *([occasions.deadline_row(part)] if with_deadline else []),
    )
    return [rows] if rows.rows else []


def _files(whole: Whole) -> list[Block]:
    if not whole.files:
        return []
    return [paragraph(whole.t(f"letter.part.files_{'one' if whole.files == 1 else 'many'}"))]


def _footer(whole: Whole, parts: Sequence[Occasion]) -> list[Block]:
    t, first = whole.t, parts[0]
    amount = "one" if len(parts) == 1 else "many"
    why = t(f"letter.part.why_{amount}", groups=_groups(parts))
    pages = [
        (part.meeting.title, part.address(path))
        for part in parts
        if (path := describing.page_path(part.meeting))
    ]
    return [
        paragraph(t("letter.meant_for")),
        paragraph(t("letter.why_copy", group=_groups(parts)) if whole.is_copy else why),
        *footing.office_blocks(whole.instance, t),
        footing.pages(t, first.address, [*pages, *_wishes(whole)]),
    ]


def _wishes(whole: Whole) -> Sequence[tuple[str, str]]:
    # Which kind can be stopped may change while bytes that were promised must not.
    return footing.wishes(whole.t, whole.topic, slot=f"_{whole.topic}")


_NEWS: Mapping[str, Callable[[Occasion], list[Block]]] = {
    "invitation": _invitation,
    "date_confirmed": _change,
    "change": _change,
    "cancellation": _cancellation,
    "postponed": _postponed,
    "uncancellation": _uncancellation,
    "uninvited": _uninvited,
    "reminder": _reminder,
    "nudge": _invitation,
}
_ANSWERED = frozenset(
    {"invitation", "date_confirmed", "change", "uncancellation", "reminder", "nudge"}
)
