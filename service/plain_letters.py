"""The letters that are about no single meeting: signing in, lost links, and those to the office."""

from collections.abc import Callable, Mapping

from service import phrasing
from service.furnishing import InstanceData
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.wording import Block, Words, paragraph

Text = Callable[..., str]
# These go to people who are invited; the others to whoever works here.
_TO_PEOPLE = frozenset({"lost_links"})


def phrase(kind: str, locale: str, instance: InstanceData, public_url: str) -> Words:
    """Write the letter of this kind; values that differ by recipient are slots."""
    t = texts(locale).t
    title = t(f"letter.{kind}.title", instance=instance.name)
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
    return Words(title, title, locale, _BODIES[kind](t), footer)


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


def _hint(t: Text) -> list[Block]:
    return [paragraph(t("letter.hint_received.lead")), Block("value", "⟦lines⟧")]


def _probe(t: Text) -> list[Block]:
    return [paragraph(t("letter.probe.lead")), paragraph(t("letter.probe.arrived"))]


_BODIES: Mapping[str, Callable[[Text], list[Block]]] = {
    "sign_in": _sign_in,
    "lost_links": _lost_links,
    "hint_received": _hint,
    "probe": _probe,
}
