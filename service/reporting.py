"""Hand a visitor's report of a barrier to the office, by letter; nothing else is stored."""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import uuid4

from notifications import outbox
from service import furnishing
from service.database import Database

_LIFE = timedelta(days=7)
_DOCUMENTS = """
SELECT count(*) AS all_of_them, count(*) FILTER (WHERE accessibility <> 'yes') AS bad
FROM document WHERE published_at IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class BarrierReport:
    """What somebody could not use; the address is there only if they want an answer."""

    page_url: str
    problem: str
    need: str
    email: str


@dataclass(frozen=True, slots=True)
class DocumentCount:
    """How many published documents there are, and how many of them are not accessible."""

    total: int
    bad: int


async def report_barrier(
    database: Database, report: BarrierReport, locale: str, now: datetime
) -> None:
    """Post the report to the office's mailbox."""
    known = await furnishing.look(database)
    letter = outbox.NewLetter(
        dedupe_key=f"hnt:{uuid4()}",
        kind="hint_received",
        recipient_id=None,
        subject_id=None,
        ordering_key="hints",
        not_before=now,
        expires_at=now + _LIFE,
        locale=locale,
        cause=asdict(report),
        recipient_domain=known.instance.email.rpartition("@")[2].lower(),
    )
    async with database.unit_of_work() as unit:
        await outbox.post(unit.connection, letter)


async def count_documents(database: Database) -> DocumentCount:
    """Count published documents for the accessibility statement."""
    row = await database.fetchrow(_DOCUMENTS)
    return DocumentCount(row["all_of_them"], row["bad"]) if row else DocumentCount(0, 0)
