"""Batch after batch of what is due: claimed, asked about, and spread over time."""

import time
from collections import deque
from collections.abc import Sequence

from notifications import crashing, leases
from notifications.desk import Desk
from notifications.jobs import Endings, Job
from notifications.pacing import Pace
from notifications.storage import Database
from notifications.watch import Watch

BATCH_MIN, BATCH_MAX = 8, 250
BATCH_SPAN_SECONDS = 20.0
"""A batch is what this process sent in that span, so a slow relay holds few letters claimed."""


class Batches:
    """Claims for one worker of one relay."""

    def __init__(self, database: Database, worker: str, relay: str, *, pace_seconds: float) -> None:
        """`pace_seconds` lie at least between two letters to one recipient domain."""
        self._database = database
        self._worker = worker
        self._relay = relay
        self._is_paced = pace_seconds > 0
        self._pace = Pace(pace_seconds)
        self._sent_ticks: deque[float] = deque(maxlen=BATCH_MAX)

    def count_sent(self) -> None:
        """Note that a letter was accepted just now."""
        self._sent_ticks.append(time.monotonic())

    async def claim(
        self, desk: Desk, watch: Watch, endings: Endings, pressing_kinds: Sequence[str]
    ) -> list[Job] | None:
        """Return the next batch, empty when nothing of it may leave, None when nothing is due.

        While the circuit of the relay is open, at most one letter of the pressing kinds.
        """
        since = time.monotonic() - BATCH_SPAN_SECONDS
        size = min(BATCH_MAX, max(BATCH_MIN, sum(tick > since for tick in self._sent_ticks)))
        crashing.pass_point("before_claim")
        claimed = await leases.claim(
            self._database,
            size,
            self._worker,
            self._relay,
            paced=self._is_paced,
            kinds=await watch.first_kinds(),
        )
        is_trial = not claimed
        if is_trial:
            claimed = await watch.claim_trial(self._worker, pressing_kinds)
        if not claimed:
            return None
        crashing.pass_point("after_claim")
        jobs = await desk.judge(claimed, is_trial=is_trial)
        return self._pace.spread(jobs, lambda job, seconds: endings.released(job.letter, seconds))
