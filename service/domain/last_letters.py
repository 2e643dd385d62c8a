"""What became of the newest letter to somebody about a session."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

NOT_ARRIVED = frozenset({"failed", "dead"})
"""Letters that ended so arrived nowhere."""


@dataclass(frozen=True, slots=True)
class LastLetter:
    """The newest letter to one person; all None where there is none.

    `report` is what the recipient's server said of it, `at` when it was accepted or ended, or when
    it is tried next.
    """

    id: UUID | None
    kind: str | None
    state: str | None
    reason: str | None
    report: str | None
    at: datetime | None

    @property
    def is_lost(self) -> bool:
        """Tell whether it did not reach the person and nothing is tried any more by itself."""
        waits_for_address = self.state == "held" and self.reason == "undeliverable"
        return self.state in NOT_ARRIVED or waits_for_address
