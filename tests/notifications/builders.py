"""Letters that are valid by default, and a clerk who says what a test wants."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from notifications import outbox
from notifications.clerk import Go, Stop
from notifications.letters import Draft, Sender
from notifications.outbox import NewLetter
from service.database import Database

SENDER = Sender("termine@alliance.example.org", "Geschäftsstelle", "alliance.example.org")
AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
LINK = "https://termine.example.org/a/" + "x7" * 26


def a_draft(**more: Any) -> Draft:
    """Return a draft with a name and a link as slots."""
    values: dict[str, Any] = {
        "subject": "Einladung: 16. AG-Sitzung Klima, Do 3.12.2026, 10 Uhr",
        "text": "Guten Tag ⟦name⟧,\n\nbis Montag:\n⟦link_answer⟧\n",
        "html": '<html lang="de"><p>Guten Tag ⟦name⟧</p><a href="⟦link_answer⟧">Antwort</a></html>',
    }
    return Draft(**(values | more))


def a_letter(number: int = 1, **more: Any) -> NewLetter:
    """Return a letter that is due now and for a day."""
    now = datetime.now(UTC)
    values: dict[str, Any] = {
        "dedupe_key": f"test:{number}:{uuid4()}",
        "kind": "invitation",
        "recipient_id": uuid4(),
        "subject_id": UUID(int=16),
        "ordering_key": f"order:{number}:{uuid4()}",
        "not_before": now - timedelta(seconds=1),
        "expires_at": now + timedelta(days=1),
        "recipient_domain": "example.org",
        "cause": {"number": number},
    }
    return NewLetter(**(values | more))


async def post(database: Database, *new: NewLetter) -> list[UUID]:
    """Post letters in one transaction and return their ids."""
    async with database.unit_of_work() as unit:
        ids = [await outbox.post(unit.connection, letter) for letter in new]
    return [found for found in ids if found is not None]


async def age(database: Database, letter_id: UUID, days: int) -> None:
    """Let a letter have been written and ended so many days ago."""
    for sql in (
        "UPDATE letter SET created_at = now() - make_interval(days => $2) WHERE id = $1",
        "UPDATE outbox SET finished_at = now() - make_interval(days => $2) WHERE id = $1",
    ):
        await database.fetch(sql, letter_id, days)


async def state_of(database: Database, letter_id: UUID) -> Any:
    """Return the delivery row of a letter."""
    return await database.fetchrow("SELECT * FROM outbox WHERE id = $1", letter_id)


@dataclass
class AClerk:
    """Says Go for everybody unless told otherwise; counts what it was asked."""

    draft: Draft = field(default_factory=a_draft)
    verdicts: dict[UUID, Go | Stop] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)
    composed: list[Hashable] = field(default_factory=list)
    address: str = "p{id}@example.org"
    former: list[Mapping[str, str]] = field(default_factory=list)

    async def look_up(self, ids: Sequence[UUID]) -> Mapping[UUID, Go | Stop]:
        """Answer for all at once."""
        self.asked.append(len(ids))
        return {one: self.verdicts.get(one) or self.go(one) for one in ids}

    async def look_up_formerly(self, ids: Sequence[UUID]) -> Sequence[Mapping[UUID, Go | Stop]]:
        """Answer with each of the former values."""
        return [{one: self.go(one, values=values) for one in ids} for values in self.former]

    async def compose(self, prototype_key: Hashable) -> Draft:
        """Return the one draft."""
        self.composed.append(prototype_key)
        return self.draft

    def go(self, letter_id: UUID, **more: Any) -> Go:
        """Return what most letters get."""
        values: dict[str, Any] = {
            "to_addr": self.address.format(id=letter_id.hex[:12]),
            "to_name": "Erika Müller",
            "values": {"name": "Erika Müller", "link_answer": LINK},
            "prototype_key": "invitation",
        }
        return Go(**(values | more))
