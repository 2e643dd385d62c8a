"""A session is cancelled while its reminders are in each of the states that a letter can be in."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import groupby

import pytest

from notifications import outbox
from notifications.outbox import NewLetter
from service import noticing, scheduling
from service.auditing import COMMAND
from tests import builders
from tests.builders import Row
from tests.faults.harness import Stage
from tests.faults.history import History
from tests.faults.servers import Fault, Faulty
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import CLOSE

pytestmark = pytest.mark.xdist_group("faults")

_PEOPLE = "SELECT * FROM person WHERE email = ANY ($1::text[]) ORDER BY email"
_OPEN_NOTICE = "SELECT id FROM notice WHERE meeting_id = $1 AND state = 'pending'"
_OF_KIND = """
SELECT o.state FROM outbox o JOIN letter l USING (id) JOIN person p ON p.id = l.recipient_id
WHERE p.email = $1 AND l.kind = $2
"""


async def a_session(stage: Stage, people: list[Row]) -> Row:
    """Open a session that these people have said yes to."""
    starts = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=40)
    meeting = await builders.a_meeting(stage.database, starts_local=starts)
    for person in people:
        await builders.an_invitation(stage.database, meeting, person, answer="in_person")
    return meeting


async def remind(stage: Stage, meeting: Row, person: Row, *, due_in: float = 0.0) -> None:
    """Post the reminder of one person."""
    letter = NewLetter(
        dedupe_key=f"rem:{meeting['id']}:{person['id']}",
        kind="reminder",
        recipient_id=person["id"],
        subject_id=meeting["id"],
        time_rev=meeting["time_rev"],
        ordering_key=f"{person['id']}:{meeting['id']}",
        not_before=datetime.now(UTC) + timedelta(seconds=due_in),
        expires_at=datetime.now(UTC) + timedelta(days=2),
        recipient_domain="example.org",
    )
    async with stage.database.unit_of_work() as unit:
        await outbox.post(unit.connection, letter)


async def cancel(stage: Stage, meeting: Row) -> None:
    """Cancel as the office does, and end the countdown."""
    now = datetime.now(UTC)
    await scheduling.cancel(stage.database, COMMAND, meeting["id"], "Wasserschaden", now)
    notice = await stage.database.fetchval(_OPEN_NOTICE, meeting["id"])
    await noticing.send_now(stage.database, COMMAND, notice, now)


async def state(stage: Stage, person: Row, kind: str) -> str:
    found: str = await stage.database.fetchval(_OF_KIND, person["email"], kind)
    return found


def received(found: History) -> dict[str, list[str]]:
    """Return the kinds of letters that each address got, in the order of their arrival."""
    kinds = {row["id"]: row["kind"] for row in found.rows}
    copies = sorted(found.copies, key=lambda copy: (copy.recipient, copy.at))
    return {
        recipient: [kinds[copy.letter_id] for copy in own]
        for recipient, own in groupby(copies, lambda copy: copy.recipient)
    }


async def test_34_cancelled_while_a_reminder_waits_leaves_or_is_unclear(stage: Stage) -> None:
    addresses = [f"m{number}@example.org" for number in (1, 2, 3)]
    waits, leaves, unclear = await stage.database.fetch(_PEOPLE, addresses)
    meeting = await a_session(stage, [waits, leaves, unclear])
    lost = Faulty([Fault(".", CLOSE, lambda address: address == unclear["email"], times=1)])
    async with smtp_servers.running(lost) as server, stage.worker(server.port):
        await remind(stage, meeting, unclear)
        await stage.in_state("uncertain")
        await remind(stage, meeting, waits, due_in=600)
        server.reached["."] = asyncio.Event()
        reply = server.held["."] = asyncio.Event()
        await remind(stage, meeting, leaves)
        await server.reached["."].wait()
        await cancel(stage, meeting)
        meanwhile = [
            (await state(stage, person, "reminder"), await state(stage, person, "cancellation"))
            for person in (waits, leaves, unclear)
        ]
        reply.set()
        await stage.settled()
        found = await stage.check(server)

    # Nothing is before the first one's: it may be with the mail server already, and is held there.
    reminder, cancellation = meanwhile.pop(0)
    assert ("cancelled", True) == (reminder, cancellation in {"queued", "sending"})
    assert [("sending", "queued"), ("uncertain", "queued")] == meanwhile
    assert {
        waits["email"]: ["cancellation"],
        leaves["email"]: ["reminder", "cancellation"],
        unclear["email"]: ["reminder", "cancellation"],
    } == received(found)
    assert ("sent", "cancelled") == (
        await state(stage, leaves, "reminder"),
        await state(stage, unclear, "reminder"),
    )
    assert 0 == found.duplicates
