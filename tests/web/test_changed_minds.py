"""What people say between the writing of a letter and its leaving counts."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx

from notifications import outbox
from notifications.outbox import NewLetter
from service import noticing
from service.database import Database
from service.services import Services
from tests import builders
from tests.invited import a_meeting_to_come
from tests.web.mailbox import deliver
from tests.web.test_preferences import ONE_CLICK, stop_path
from tests.web.test_replies import link_to


async def fates(database: Database, person_id: UUID) -> dict[str, tuple[str, str | None]]:
    """Return state and reason of a person's letters by their kinds."""
    rows = await builders.letters(database, recipient_id=person_id)
    return {row["kind"]: (row["state"], row["reason"]) for row in rows}


async def test_35_an_answer_between_the_writing_and_the_leaving_of_a_nudge_spares_it(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    database, now = services.database, services.clock()
    meeting_id = await a_meeting_to_come(database, now)
    early = await link_to(services, anonymous, meeting_id, "Mira Muster")
    late = await link_to(services, anonymous, meeting_id, "Noah Nagel")
    meeting = await builders.read(database, "meeting", meeting_id)
    await builders.a_notice(database, meeting, kind="nudge", due_at=now)
    written = await noticing.queue_due(database, now)
    answered = await early.answer(answer="in_person")
    await deliver(services)

    assert (2, 303) == (written, answered.status_code)
    assert ("cancelled", "answered") == (await fates(database, early.invited.person_id))["nudge"]
    assert ("sent", None) == (await fates(database, late.invited.person_id))["nudge"]


async def test_36_one_click_keeps_back_what_waits_of_a_kind_and_no_cancellation(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    database, now = services.database, services.clock()
    person = await builders.a_person(database)
    starts = (now + timedelta(days=20)).replace(tzinfo=None, minute=0, second=0, microsecond=0)
    kinds = {"reminder": "confirmed", "invitation": "confirmed", "cancellation": "cancelled"}
    for kind, state in kinds.items():
        meeting = await builders.a_meeting(database, starts_local=starts, state=state)
        invitation = await builders.an_invitation(database, meeting, person, answer="in_person")
        cause: dict[str, Any] = {"invitation": str(invitation["id"])}
        if kind == "reminder":
            rule = await builders.a_reminder_rule(database)
            cause["rule"] = str(rule["id"])
        letter = NewLetter(
            dedupe_key=f"{kind}:{meeting['id']}",
            kind=kind,
            recipient_id=person["id"],
            subject_id=meeting["id"],
            ordering_key=f"{person['id']}:{meeting['id']}",
            subject_rev=1,
            not_before=now - timedelta(seconds=1),
            expires_at=now + timedelta(days=1),
            cause=cause,
        )
        async with database.unit_of_work() as unit:
            await outbox.post(unit.connection, letter)
    stopped = await anonymous.post(stop_path(services, person), data=ONE_CLICK)
    mails = await deliver(services)

    found = await fates(database, person["id"])
    assert (200, 2) == (stopped.status_code, len(mails))
    assert {"reminder": "cancelled", "invitation": "sent", "cancellation": "sent"} == {
        kind: state for kind, (state, _) in found.items()
    }
