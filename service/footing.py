"""What every letter ends with: who writes, and the pages where its reader reads on or stops it."""

from collections.abc import Callable, Sequence

from service.domain.preferences import Topic
from service.furnishing import InstanceData
from service.wording import Block, facts

Text = Callable[..., str]
Address = Callable[[str], str]
Rows = Sequence[tuple[str, str]]


def office_blocks(data: InstanceData, t: Text) -> list[Block]:
    """Say whom to call and where the office is."""
    town = f"{data.postcode} {data.town}".strip()
    postal = ", ".join(part for part in (data.office_name or data.name, data.street, town) if part)
    rows = facts(
        (t("letter.phone"), data.phone),
        (t("letter.email"), data.email),
        (t("letter.office"), postal),
    )
    return [rows] if rows.rows else []


def wishes(t: Text, topic: Topic | None, *, slot: str = "") -> Rows:
    """Link to the switches, and to the one that stops this kind of letter where there is one.

    `slot` ends the name of that gap where several kinds are in one letter.
    """
    rows = [(t("letter.preferences"), "⟦link_preferences⟧")]
    if topic is not None:
        rows.append((t(f"letter.unsubscribe_{topic}"), f"⟦link_unsubscribe{slot}⟧"))
    return rows


def pages(t: Text, address: Address, own: Rows = ()) -> Block:
    """Link to the letter's own pages and the legal ones; `address` makes a path a whole one."""
    legal = [
        (t("frame.imprint"), address("/impressum")),
        (t("frame.privacy"), address("/datenschutz")),
    ]
    return Block("pages", rows=[*own, *legal])
