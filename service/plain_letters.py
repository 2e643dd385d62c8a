"""The letters that are about no single meeting: signing in, lost links, and those to the office."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service import digesting, phrasing
from service.digesting import Shape
from service.furnishing import InstanceData
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.wording import Block, Words, paragraph

Text = Callable[..., str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfficeLetter:
    """What a letter to the office says: its subject's end, where answers go, what stands in it.

    `reply_to` "" stands for the office; `secrets` are never stored with the letter.
    """

    heading: str
    values: Mapping[str, str]
    reply_to: str = ""
    secrets: frozenset[str] = frozenset()


# These go to people who are invited; the others to whoever works here.
_TO_PEOPLE = frozenset({"lost_links", "digest"})


def phrase(kind: str, locale: str, instance: InstanceData, public_url: str) -> Words:
    """Write the letter of this kind; values that differ by recipient are slots."""
    return _letter((kind, locale), _BODIES[kind](texts(locale).t), instance, public_url)


def phrase_office(
    kind: str, locale: str, instance: InstanceData, public_url: str, heading: str
) -> Words:
    """Write a letter to the office itself whose subject ends with what it is about."""
    body = _BODIES[kind](texts(locale).t)
    return _letter((kind, locale), body, instance, public_url, heading=heading)


def phrase_digest(locale: str, instance: InstanceData, public_url: str, shape: Shape) -> Words:
    """Write the weekly letter with the parts that it has."""
    day = dates.format_short_date(shape.day, locale)
    body = _digest(texts(locale).t, shape)
    return _letter((digesting.KIND, locale), body, instance, public_url, day=day)


def _letter(
    what: tuple[str, str], body: list[Block], instance: InstanceData, public_url: str, **values: str
) -> Words:
    kind, locale = what
    t = texts(locale).t
    title = t(f"letter.{kind}.title", instance=instance.name, **values)
    wishes = [(t("letter.preferences"), "⟦link_preferences⟧")] if kind in _TO_PEOPLE else []
    links = [
        *wishes,
        (t("frame.imprint"), f"{public_url}{localised('/impressum', locale)}"),
        (t("frame.privacy"), f"{public_url}{localised('/datenschutz', locale)}"),
    ]
    footer = [
        paragraph(t(f"letter.{kind}.why", instance=instance.name)),
        *phrasing.office_blocks(instance, t),
        Block("pages", rows=links),
    ]
    return Words(title, title, locale, body, footer)


def hint_lines(cause: Mapping[str, object], locale: str) -> str:
    """Write what somebody reported; what was left empty is left out."""
    t = texts(locale).t
    said = [(name, str(cause.get(name) or "")) for name in ("page", "problem", "need", "email")]
    return "\n\n".join(
        f"{t(f'letter.hint_received.{name}')}:\n{word}" for name, word in said if word
    )


def _sign_in(t: Text) -> list[Block]:
    return [
        paragraph(t("letter.sign_in.lead")),
        Block("choices", rows=[(t("letter.sign_in.link"), "⟦link_sign_in⟧")]),
        paragraph(t("letter.sign_in.code")),
        Block("code", "⟦code⟧"),
        paragraph(t("letter.sign_in.not_you")),
    ]


def _lost_links(t: Text) -> list[Block]:
    return [
        paragraph(t("letter.greeting")),
        paragraph(t("letter.lost_links.lead")),
        Block("value", "⟦lines⟧"),
        paragraph(t("letter.lost_links.private")),
    ]


def _digest(t: Text, shape: Shape) -> list[Block]:
    blocks = [paragraph(t("letter.greeting"))]
    if shape.asks:
        links = [(f"⟦{name}⟧", f"⟦link_{name}⟧") for name in digesting.slots(shape.asks)]
        blocks += [Block("heading", t("letter.digest.open")),
            paragraph(t("letter.digest.open_lead")), Block("links", rows=links)]  # fmt: skip
    if shape.has_changes:
        blocks += [Block("heading", t("letter.digest.changes")), Block("value", "⟦changes⟧")]
    if shape.has_coming:
        blocks += [Block("heading", t("letter.digest.coming")), Block("value", "⟦coming⟧")]
    return blocks


def _hint(t: Text) -> list[Block]:
    return [paragraph(t("letter.hint_received.lead")), Block("value", "⟦lines⟧")]


def _probe(t: Text) -> list[Block]:
    return [paragraph(t("letter.probe.lead")), paragraph(t("letter.probe.arrived"))]


def _forwarded(t: Text) -> list[Block]:
    link = (t("letter.reply_forwarded.enter"), "⟦link_office⟧")
    return [
        Block("value", "⟦facts⟧"),
        Block("heading", t("letter.reply_forwarded.words")),
        Block("value", "⟦lines⟧"),
        Block("links", rows=[link]),
        paragraph(t("letter.reply_forwarded.lead")),
    ]


def _alarm(t: Text) -> list[Block]:
    link = (t("letter.alarm.look"), "⟦link_office⟧")
    return [Block("value", "⟦lines⟧"), Block("links", rows=[link])]


def _ear(t: Text) -> list[Block]:
    return [paragraph(t("letter.ear.lead"))]


_BODIES: Mapping[str, Callable[[Text], list[Block]]] = {
    "sign_in": _sign_in,
    "lost_links": _lost_links,
    "hint_received": _hint,
    "probe": _probe,
    "ear": _ear,
    "reply_forwarded": _forwarded,
    "alarm": _alarm,
}
