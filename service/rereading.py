"""Read a letter again as it left, with its links and secrets struck out."""

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from uuid import UUID

from notifications import letters
from notifications.gates import GateError
from notifications.letters import LINK_PREFIX, Envelope
from service.blackening import STRUCK
from service.database import Database
from service.tables import posting_statements as statements

_STRUCK_LINK = f"https://{STRUCK}"


@dataclass(frozen=True, slots=True)
class Written:
    """A letter's headers in their order, and its parts as (media type, text)."""

    headers: tuple[tuple[str, str], ...]
    parts: tuple[tuple[str, str], ...]


async def read(database: Database, letter_id: UUID) -> Written | None:
    """Return what a letter said; None before it was written, and after its words were deleted.

    It is made of what was frozen with it. Nothing that opens anything was, so that is struck out.
    """
    row = await database.fetchrow(statements.WRITTEN, letter_id)
    if row is None:
        return None
    frozen = letters.from_json(row["segments"])
    kept = row["slot_values"] or {}
    values = {name: kept.get(name, _struck(name)) for name in frozen.slots}
    envelope = Envelope(letter_id, row["to_addr"], row["to_name"] or "")
    try:
        raw = letters.render(frozen, values, envelope, row["dated_at"])
    except GateError:
        # Words of an older release that no longer fit are told by no half.
        return None
    message = email.message_from_bytes(raw, policy=email.policy.default)
    return Written(
        headers=tuple((name, _unfolded(value)) for name, value in message.items()),
        parts=tuple(_parts(message)),
    )


def _struck(name: str) -> str:
    return _STRUCK_LINK if name.startswith(LINK_PREFIX) else STRUCK


def _unfolded(value: object) -> str:
    return " ".join(str(value).split())


def _parts(message: EmailMessage) -> Iterator[tuple[str, str]]:
    seen: set[str] = set()
    for part in message.walk():
        if part.is_multipart():
            continue
        content = part.get_payload(decode=True)
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else ""
        text = text.replace("\r\n", "\n").strip("\n")
        # The calendar part leaves twice in some letters; once is enough to read.
        if text not in seen:
            seen.add(text)
            yield part.get_content_type(), text
