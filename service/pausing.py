"""See why letters stay where they are, and let them leave again."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from notifications import log, pauses
from notifications.log import RelayHealth
from service import auditing, furnishing, relaying
from service.auditing import Actor
from service.services import Services

TRIAL = "trial"
# A trial letter is accepted within seconds; after this somebody should look.
_TRIAL_PATIENCE = timedelta(minutes=2)
_LAST_TRIAL = """
SELECT l.id, o.state, o.created_at, coalesce(o.last_text, '') AS words
FROM letter l JOIN outbox o USING (id)
WHERE l.kind = $1 ORDER BY l.created_at DESC LIMIT 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standstill:
    """Why no letter leaves: a code that the pages translate (`standstill.<reason>`).

    `until` is when it is tried again, None where nothing but the trial is missing; `letter_id` is
    the trial letter, `words` what the mail server said to it.
    """

    reason: str
    until: datetime | None = None
    since: datetime | None = None
    letter_id: UUID | None = None
    words: str = ""

    @property
    def can_resume(self) -> bool:
        """Tell whether a hand can end it."""
        return self.reason != TRIAL


async def find(services: Services, now: datetime) -> Standstill | None:
    """Return why letters stay, or None while all is well or will be by itself within minutes."""
    relay = relaying.relay_settings(services.settings)
    if relay is None:
        return None
    health = await log.relay_health(services.database, relay.name)
    if health is not None and _needs_a_look(health, now):
        return Standstill(
            reason=health.reason or "relay_down",
            until=health.paused_until,
            since=health.failing_since,
        )
    if health is not None and health.tried_at is not None:
        return None
    return await _find_trial(services, now)


async def resume(services: Services, actor: Actor) -> bool:
    """Let letters leave again, whatever stopped them; False when nothing did."""
    relay = relaying.relay_settings(services.settings)
    if relay is None:
        return False
    async with services.database.unit_of_work() as unit:
        if not await pauses.resume(unit.connection, relay.name):
            return False
        await auditing.record(unit.connection, actor, "sending_resumed", "relay", None)
        return True


def _needs_a_look(health: RelayHealth, now: datetime) -> bool:
    """Tell what mends itself within ten minutes from what does not."""
    if health.reason in pauses.CIRCUIT:
        return pauses.rests(health.reason, health.paused_until, now)
    return health.failing_since is not None and health.alarmed_at is not None


async def _find_trial(services: Services, now: datetime) -> Standstill | None:
    if not (await furnishing.look(services.database)).is_ready:
        return None
    row = await services.database.fetchrow(_LAST_TRIAL, relaying.TRIAL_KIND)
    if row is None or row["state"] == "sent":
        return None
    if row["state"] == "queued" and now - row["created_at"] < _TRIAL_PATIENCE:
        return None
    return Standstill(
        reason=TRIAL, since=row["created_at"], letter_id=row["id"], words=row["words"]
    )
