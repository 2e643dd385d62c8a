"""How a postman works: what an installation sets, and what tests do."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from notifications.hurrying import hurried

DRAIN_SECONDS = hurried(30.0, least=5.0)


def _now() -> datetime:
    return datetime.now(UTC)


def strike_nothing(words: str) -> str:
    """Return the words as they are, where nothing in them opens anything."""
    return words


@dataclass(frozen=True, slots=True)
class Options:
    """How a postman works.

    `pace_seconds` lie at least between two letters to one recipient domain. Letters of
    `once_kinds` are never sent again when their delivery is unclear, those of `urgent_kinds` at
    once. Until a letter of `trial_kind`, if any, was accepted, only it and urgent ones leave. Those
    of `pressing_kinds` are tried one by one while too much was refused for others to leave.
    `bounce_address` gives the envelope sender of a letter, without it the sender's address.
    `strike` takes out of a server's words what opens something: some quote the links they refuse.
    """

    pace_seconds: float = 0.0
    once_kinds: tuple[str, ...] = ()
    urgent_kinds: tuple[str, ...] = ()
    pressing_kinds: tuple[str, ...] = ()
    trial_kind: str | None = None
    bounce_address: Callable[[UUID], str] | None = None
    strike: Callable[[str], str] = strike_nothing
    clock: Callable[[], datetime] = _now
    drain_seconds: float = DRAIN_SECONDS
