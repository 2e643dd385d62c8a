"""The letters that are about no single meeting: signing in, lost links, and those to the office."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from service import digesting, footing, listing_links
from service.digesting import Shape
from service.domain import preferences
from service.furnishing import InstanceData
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.wording import Block, Words, paragraph

LOST_LINKS = "lost_links"
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
_TO_PEOPLE = frozenset({LOST_LINKS, digesting.KIND})


def phrase(kind: str, locale: str, instance: InstanceData, public_url: str) -> Words:
    """Write the letter of this kind; values that differ by recipient are slots."""
    return _letter((kind, locale), _BODIES[kind](texts(locale).t), instance, public_url)


def phrase_office(
    kind: str, locale: str, instance: InstanceData, public_url: str, heading: str
) -> Words:
    """Write a letter to the office itself whose subject ends with what it is about."""
    body = _BODIES[kind](texts(locale).t)
    return _letter((kind, locale), body, instance, public_url, heading=heading)


def phrase_lost_links(
    locale: str, instance: InstanceData, public_url: str, shape: listing_links.Shape
) -> Words:
    """Write the letter with so many links."""
    body = _lost_links(texts(locale).t, shape)
    return _letter((LOST_LINKS, locale), body, instance, public_url)


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
    topic = preferences.TOPICS.get(kind)
    footer = [
        paragraph(t(f"letter.{kind}.why", instance=instance.name)),
        *footing.office_blocks(instance, t),
        footing.pages(
            t,
            lambda path: f"{public_url}{localised(path, locale)}",
            footing.wishes(t, topic) if kind in _TO_PEOPLE else (),
        ),
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


def _lost_links(t: Text, shape: listing_links.Shape) -> list[Block]:
    return [
        paragraph(t("letter.greeting")),
        paragraph(t(f"letter.lost_links.{'lead' if shape.asks else 'none'}")),
        *_links(shape.asked),
        *_links(shape.kept),
        *([paragraph(t("letter.lost_links.private"))] if shape.slots else []),
    ]


def _links(names: Sequence[str]) -> list[Block]:
    rows = [(f"⟦{name}⟧", f"⟦link_{name}⟧") for name in names]
    return [Block("links", rows=rows)] if rows else []


def _digest(t: Text, shape: Shape) -> list[Block]:
    blocks = [paragraph(t("letter.greeting"))]
    if shape.asks:
        blocks += [
            Block("heading", t("letter.digest.open")),
            paragraph(t("letter.digest.open_lead")),
            *_links(digesting.slots(shape.asks)),
        ]
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
    "hint_received": _hint,
    "probe": _probe,
    "ear": _ear,
    "reply_forwarded": _forwarded,
    "alarm": _alarm,
}
