"""What the postman asks of the one who knows the occasion: does it hold, in which words."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID

from notifications.letters import LINK_PREFIX, Draft


@dataclass(frozen=True, slots=True)
class Go:
    """The letter still holds: to whom it goes, with which values, from which prototype.

    Values named `link_…` and those named in `secrets` are never stored; asked again, the clerk
    derives the same. Equal `prototype_key` promises equal drafts.
    """

    to_addr: str
    to_name: str
    values: Mapping[str, str]
    prototype_key: Hashable
    secrets: frozenset[str] = field(default_factory=frozenset)

    def storable(self) -> dict[str, str]:
        """Return the values without those that open something."""
        return {
            name: value
            for name, value in self.values.items()
            if name not in self.secrets and not name.startswith(LINK_PREFIX)
        }


@dataclass(frozen=True, slots=True)
class Stop:
    """The letter no longer holds; `reason` is a text code that the pages translate."""

    reason: str
    state: Literal["cancelled", "held"] = "cancelled"


class Clerk(Protocol):
    """Given to the postman at start; both run outside any transaction."""

    async def look_up(self, ids: Sequence[UUID]) -> Mapping[UUID, Go | Stop]:
        """Answer for a whole claimed batch with one query; a missing id counts as stopped."""

    async def look_up_formerly(self, ids: Sequence[UUID]) -> Sequence[Mapping[UUID, Go | Stop]]:
        """Answer likewise with the secrets of former times, the newest first; empty without any.

        It is asked about letters alone whose bytes were promised when another secret was in use.
        """

    async def compose(self, prototype_key: Hashable) -> Draft:
        """Write the letter that all recipients with this key have in common."""
