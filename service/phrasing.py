"""What each kind of letter about a meeting says, as blocks, in the reader's language.

The order is the same everywhere: whom it is for, what happened, the facts in a few lines, the
answer links, the agenda, then who writes and why. Slots are filled for each recipient.
"""

from collections.abc import Callable, Mapping, Sequence

from service import describing, footing, occasions, requesting
from service.domain import preferences
from service.domain.words import Answer, Mode, State
from service.occasions import Occasion
from service.pages.plain_text import write_plain
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


def phrase(occasion: Occasion) -> Words:
    """Write the letter of the occasion's kind."""
    kind = occasion.kind
    return Words(
        subject=_subject(occasion),
        title=occasion.t(f"letter.{kind}.title", title=occasion.meeting.title),
        locale=occasion.locale,
        blocks=[
            *([paragraph(occasion.t("letter.copy.lead"))] if occasion.is_copy else []),
            # Two people may share a mailbox, so every letter names its person first.
            paragraph(occasion.t("letter.greeting")),
            *_BODIES[kind](occasion),
            *first_time(occasion),
        ],
        footer=_footer(occasion),
    )


def _subject(occasion: Occasion) -> str:
    return occasion.t(
        occasions.subject_key(occasion),
        title=occasion.meeting.title,
        when=occasion.short_when,
        deadline=occasion.short_deadline,
        answer=occasion.said,
    )


# The pieces that bodies are made of, and those of letters about several sessions.


def said(occasion: Occasion, key: str) -> Block:
    """Write one sentence; it may name their answer and the office."""
    return paragraph(occasion.t(key, answer=occasion.said, office=occasion.office))


def facts_of(occasion: Occasion, *, with_deadline: bool = True) -> Block:
    """Say what, when, where and until when."""
    t, now, locale = occasion.t, occasion.now_facts, occasion.locale
    return facts(
        (t("letter.what"), occasion.meeting.title),
        (t("letter.when"), occasions.when(now, locale)),
        (t("letter.where"), occasions.where_now(now, locale)),
        (t("letter.access"), now.place_access),
        *([occasions.deadline_row(occasion)] if with_deadline else []),
    )


def _choices(occasion: Occasion) -> list[Block]:
    offered = _OFFERED[occasion.now_facts.mode]
    rows = [(occasion.t(f"letter.choice.{answer}"), f"⟦link_{answer}⟧") for answer in offered]
    return [
        *([paragraph(occasion.t("letter.late"))] if occasion.is_late else []),
        paragraph(occasion.t("letter.answer_by_link")),
        Block("choices", "⟦link_answer⟧", rows),
        paragraph(occasion.t("letter.link_is_yours")),
    ]


def _change_answer(occasion: Occasion) -> list[Block]:
    if not occasion.takes_answers:
        return []
    return [Block("links", rows=[(occasion.t("letter.change_answer"), "⟦link_answer⟧")])]


def _agenda(occasion: Occasion) -> list[Block]:
    blocks = []
    if occasion.meeting.description:
        blocks.append(Block("heading", occasion.t("letter.description")))
        blocks.append(Block("lines", write_plain(occasion.meeting.description)))
    if occasion.meeting.agenda:
        blocks.append(Block("heading", occasion.t("letter.agenda")))
        blocks.append(Block("lines", write_plain(occasion.meeting.agenda)))
    return blocks


def access(occasion: Occasion) -> list[Block]:
    """Tell how to get into the video call."""
    meeting, t = occasion.meeting, occasion.t
    if occasion.now_facts.mode is Mode.ON_SITE:
        return []
    links = [(t("letter.online_access"), meeting.online_url)] if meeting.online_url else []
    numbers = facts((t("letter.dial_in"), meeting.dial_in))
    return [
        *([Block("links", rows=links)] if links else []),
        *([numbers] if numbers.rows else []),
    ]


def own_answer(occasion: Occasion) -> list[Block]:
    """Say what they answered, and who comes for them."""
    if not occasion.stance:
        return []
    t = occasion.t
    deputy = (t("letter.deputy"), f"⟦deputy{occasion.slot}⟧" if occasion.has_deputy else "")
    return [facts((t("letter.your_answer"), occasion.said), deputy)]


def message(occasion: Occasion) -> list[Block]:
    """Write what the office adds, line by line."""
    return [Block("lines", occasion.message)] if occasion.message else []


def _calendar(occasion: Occasion, key: str = "letter.calendar_file") -> list[Block]:
    if not occasion.has_calendar:
        return []
    # What comes with buttons changes the entry by itself; a file has to be opened.
    ending = f"_{occasion.way}" if occasion.has_buttons else ""
    return [paragraph(occasion.t(f"{key}{ending}"))]


# The bodies.


def _invitation(occasion: Occasion) -> list[Block]:
    return [said(occasion, "letter.invitation.lead"), *_invited(occasion)]


def _invited(occasion: Occasion) -> list[Block]:
    return [
        *message(occasion),
        facts_of(occasion),
        *_choices(occasion),
        *access(occasion),
        *_agenda(occasion),
        *_calendar(occasion),
    ]


def _date_confirmed(occasion: Occasion) -> list[Block]:
    lead = said(occasion, "letter.date_confirmed.lead")
    if occasion.asks:
        return [lead, *_asked_again(occasion), *_invited(occasion)]
    return [
        lead,
        *message(occasion),
        facts_of(occasion, with_deadline=False),
        *_standing(occasion),
        *access(occasion),
        *_agenda(occasion),
        *_calendar(occasion),
    ]


def _asked_again(occasion: Occasion) -> list[Block]:
    return [said(occasion, "letter.change.ask_again")] if occasion.stance else []


def _standing(occasion: Occasion) -> list[Block]:
    """Say that an answer still counts, or that a former no need not be said again."""
    if occasion.holds:
        return [said(occasion, "letter.change.holds"), *_change_answer(occasion)]
    return [said(occasion, "letter.change.declined"), *_change_answer(occasion)]


def _nudge(occasion: Occasion) -> list[Block]:
    lead = "letter.nudge.lead_again" if occasion.stance else "letter.nudge.lead"
    # Somebody may believe to have answered, in a program whose answer never came.
    return [
        said(occasion, lead),
        *([said(occasion, "letter.nudge.last")] if occasions.is_last_call(occasion) else []),
        *([paragraph(occasion.t("letter.nudge.calendar"))] if occasion.has_buttons else []),
        facts_of(occasion),
        *_choices(occasion),
    ]


def _reminder(occasion: Occasion) -> list[Block]:
    return [
        said(occasion, f"letter.reminder.{occasions.reminded_as(occasion)}"),
        facts_of(occasion, with_deadline=not occasion.comes),
        *_answers_so_far(occasion),
        *(own_answer(occasion) if occasion.holds else []),
        *access(occasion),
        *(_change_answer(occasion) if occasion.comes else _choices(occasion)),
        *_agenda(occasion),
    ]


def _answers_so_far(occasion: Occasion) -> list[Block]:
    rows = [(occasion.t(f"letter.answers.{one}"), f"⟦count_{one}⟧") for one in occasions.BUCKETS]
    return [said(occasion, "letter.reminder.answers"), facts(*rows)] if occasion.leads else []


def _change(occasion: Occasion) -> list[Block]:
    rows = occasions.changed_rows(occasion)
    return [
        said(occasion, "letter.change.lead"),
        *message(occasion),
        *([Block("changes", rows=rows)] if rows else []),
        *changed_texts(occasion),
        *change_ending(occasion),
        facts_of(occasion, with_deadline=occasion.asks),
        *(_choices(occasion) if occasion.asks else _change_answer(occasion)),
        *(_agenda(occasion) if occasions.changed_texts(occasion) else []),
        *_calendar(occasion, "letter.change.calendar"),
    ]


def changed_texts(occasion: Occasion) -> list[Block]:
    """Name the longer texts that are new; they stand below in full."""
    names = [occasion.t(f"letter.{name}") for name in occasions.changed_texts(occasion)]
    return [paragraph(occasion.t("letter.change.texts", names=", ".join(names)))] if names else []


def change_ending(occasion: Occasion) -> list[Block]:
    """Say what the change means for the answer that these people gave."""
    if not occasion.takes_answers:
        return []
    if occasion.asks:
        key = "letter.change.ask"
        if occasion.stance:
            is_moved = occasions.is_moved(occasion)
            key = "letter.change.ask_again" if is_moved else "letter.change.ask_again_same_date"
        return [said(occasion, key)]
    key = "letter.change.holds" if occasion.holds else "letter.change.declined"
    return [said(occasion, key)]


def _cancellation(occasion: Occasion) -> list[Block]:
    reason = occasion.meeting.cancel_reason
    return [
        said(occasion, "letter.cancellation.lead"),
        # The office's message is the reason itself unless it wrote another one.
        *(message(occasion) if occasion.message != reason else []),
        *called_off(occasion, reason),
        *_calendar(occasion, "letter.cancellation.calendar"),
    ]


def _postponed(occasion: Occasion) -> list[Block]:
    return [
        said(occasion, "letter.postponed.lead"),
        *called_off(occasion, occasion.message),
        *_calendar(occasion, "letter.postponed.calendar"),
    ]


def called_off(occasion: Occasion, reason: str) -> list[Block]:
    """Say what falls out, when it was planned, and why."""
    t = occasion.t
    rows = facts(
        (t("letter.what"), occasion.meeting.title),
        (t("letter.was_planned"), occasions.was_planned(occasion)),
        (t("letter.where"), occasions.where(occasion.now_facts, occasion.locale)),
        (t("letter.reason"), reason),
    )
    return [rows]


def _uncancellation(occasion: Occasion) -> list[Block]:
    state = occasion.now_facts.state
    is_firm = state is State.CONFIRMED
    lead = "letter.uncancellation.lead" if is_firm else f"letter.uncancellation.lead_{state}"
    blocks = [said(occasion, lead), *message(occasion)]
    if not is_firm:
        return [*blocks, facts_of(occasion, with_deadline=False), *_calendar(occasion)]
    if occasion.asks:
        ask = "letter.change.ask_again" if occasion.stance else "letter.change.ask"
        blocks += [said(occasion, ask), facts_of(occasion), *_choices(occasion)]
    else:
        blocks += [facts_of(occasion, with_deadline=False), *_standing(occasion)]
    return [*blocks, *access(occasion), *_calendar(occasion)]


def _uninvited(occasion: Occasion) -> list[Block]:
    t = occasion.t
    return [
        said(occasion, "letter.uninvited.lead"),
        facts(
            (t("letter.what"), occasion.meeting.title),
            (t("letter.when"), occasions.when(occasion.now_facts, occasion.locale)),
        ),
        paragraph(t(f"letter.uninvited.calendar{'_buttons' if occasion.has_buttons else ''}")),
    ]


def _entry_alone(occasion: Occasion) -> list[Block]:
    """Say what this does to the calendar; why it does so stands in another letter."""
    is_off = occasion.now_facts.state in {State.CANCELLED, State.POSTPONED}
    is_gone = occasion.kind == requesting.UPDATE and (is_off or occasion.because == "uninvited")
    return [
        said(occasion, f"letter.{occasion.kind}.lead{'_gone' if is_gone else ''}"),
        *(called_off(occasion, "") if is_off else [facts_of(occasion, with_deadline=False)]),
        *([] if is_gone else _change_answer(occasion)),
    ]


def _answer_differs(occasion: Occasion) -> list[Block]:
    """Say what is stored where the button of a calendar program showed something else."""
    return [
        said(occasion, f"letter.answer_differs.{occasion.because}"),
        facts_of(occasion),
        *(_stored(occasion) if occasion.because in _STORED_BECAUSE else _choices(occasion)),
        paragraph(occasion.t("letter.answer_differs.not_you")),
    ]


# In these cases the answer counts, and its reader should only know how.
_STORED_BECAUSE = frozenset({"hybrid", "late"})


def _stored(occasion: Occasion) -> list[Block]:
    """Say that an answer counts, so that nobody is asked for one again."""
    right = paragraph(occasion.t("letter.answer_differs.right"))
    return [*own_answer(occasion), right, *_change_answer(occasion)]


def _receipt(occasion: Occasion) -> list[Block]:
    is_undecided = occasion.stance == "undecided"
    return [
        said(occasion, "letter.receipt.lead"),
        *own_answer(occasion),
        facts_of(occasion, with_deadline=is_undecided),
        *(access(occasion) if occasion.stance in {"online", "represented"} else []),
        *_change_answer(occasion),
        paragraph(occasion.t("letter.receipt.not_you")),
        *_calendar(occasion),
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
    "entry_removed": _entry_alone,
    "entry_update": _entry_alone,
    "answer_differs": _answer_differs,
}


def first_time(occasion: Occasion) -> list[Block]:
    """Say in a person's first letter where we have the data from (Art. 14 GDPR)."""
    if not occasion.is_first:
        return []
    source = occasion.t(f"letter.art14.by_{'partner' if occasion.has_partner else 'office'}")
    return [
        Block("heading", occasion.t("letter.art14.title")),
        paragraph(occasion.t("letter.art14.text", office=occasion.office, source=source)),
        Block("links", rows=[(occasion.t("letter.art14.more"), occasion.address("/datenschutz"))]),
    ]


def _footer(occasion: Occasion) -> list[Block]:
    t = occasion.t
    page = describing.page_path(occasion.meeting)
    is_out = "uninvited" in {occasion.kind, occasion.because}
    why = "letter.why_uninvited" if is_out else "letter.why"
    why = "letter.why_copy" if occasion.is_copy else why
    # Copies are for somebody else, who cannot switch off what the invited person gets.
    topic = None if occasion.is_copy else preferences.TOPICS.get(occasion.kind)
    own = [(t("letter.page"), occasion.address(page))] if page else []
    return [
        paragraph(t("letter.meant_for")),
        paragraph(t(why, group=occasion.group_names)),
        *footing.office_blocks(occasion.instance, t),
        footing.pages(t, occasion.address, [*own, *footing.wishes(t, topic)]),
    ]
