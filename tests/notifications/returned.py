"""Returned mail for a letter of a test, and what became of that letter."""

from pathlib import Path
from typing import Any
from uuid import UUID

from notifications import returning
from notifications.intake import IntakeOptions
from notifications.returning import ReturnOptions
from service.database import Database
from tests.notifications import builders

SAMPLES = Path(__file__).parent / "samples"
IN_SAMPLES = b"5f0c9f0e-3a52-4d0f-9a57-6c1d2e3f4a5b"
ERIKA = "erika@town.example"
PLAIN = "rueck@alliance.example.org"
OPTIONS = IntakeOptions(
    returns=ReturnOptions(PLAIN, (b"a secret of ours" * 2,), per_letter=True),
    mail_domain="alliance.example.org",
    plain=frozenset({"termine@alliance.example.org"}),
)


def sample(name: str, letter_id: UUID, returns: ReturnOptions = OPTIONS.returns) -> bytes:
    """Return a sample as if it were about this letter and came to its return address."""
    raw = (SAMPLES / f"{name}.eml").read_bytes().replace(IN_SAMPLES, str(letter_id).encode())
    return raw.replace(PLAIN.encode(), returning.return_address(returns, letter_id).encode())


def to_everybody(raw: bytes, letter_id: UUID) -> bytes:
    """Return a sample as somebody writes it who knows no more than the letter's id."""
    return raw.replace(address(letter_id).encode(), PLAIN.encode())


def address(letter_id: UUID) -> str:
    """Return the letter's return address."""
    return returning.return_address(OPTIONS.returns, letter_id)


async def a_sent_letter(database: Database, state: str = "sent", to_addr: str = ERIKA) -> UUID:
    """Post a letter that has left to somebody, or of which nobody knows."""
    [letter_id] = await builders.post(database, builders.a_letter())
    await database.fetch("UPDATE letter SET to_addr = $2 WHERE id = $1", letter_id, to_addr)
    await database.fetch(
        "UPDATE outbox SET state = $2, uncertain_count = ($2 = 'uncertain')::int WHERE id = $1",
        letter_id,
        state,
    )
    return letter_id


async def events(database: Database) -> list[Any]:
    """Return all events, the first one first."""
    return list(await database.fetch("SELECT * FROM mail_event ORDER BY id"))


async def standing(database: Database, of: str = ERIKA) -> str | None:
    """Return how an address stands; None where nothing is known of it."""
    found: str | None = await database.fetchval(
        "SELECT state FROM address_state WHERE address_normal = $1", of
    )
    return found
