"""One worker's view of its relay: whether it stands, crowds may leave, and when it is enough."""

import random
import time
from collections import deque
from collections.abc import Sequence
from uuid import UUID

import structlog

from notifications import backoff, leases, pauses
from notifications.backoff import Outcome
from notifications.jobs import Job
from notifications.leases import Claimed
from notifications.storage import Database

_log = structlog.get_logger(__name__)


class Watch:
    """Looks at every end of a letter; `down` says why no more may leave in this round.

    With `trial_kind`, only letters of that kind and of `urgent_kinds` leave until one of that kind
    was accepted: an installation proves to its own office first that its letters arrive.
    """

    def __init__(
        self, database: Database, relay: str, trial_kind: str | None, urgent_kinds: tuple[str, ...]
    ) -> None:
        self.down: Outcome | None = None
        self._is_resting = False
        self._database = database
        self._relay = relay
        self._trial_kind = trial_kind
        self._first_kinds = [*urgent_kinds, *([trial_kind] if trial_kind else [])]
        self._is_tried = trial_kind is None
        self._is_known = False
        self._ended: deque[str] = deque(maxlen=pauses.RECENT)
        self._accepted: set[str] = set()
        self._proofs: list[UUID] = []
        self._lost_trials, self._no_trial_before = 0, 0.0

    def begin(self) -> None:
        """Forget why the last round ended."""
        self.down, self._is_resting = None, False

    async def first_kinds(self) -> list[str] | None:
        """Return the only kinds that may leave before the trial; None when all may."""
        if not self._is_tried:
            self._is_tried = await pauses.is_tried(self._database, self._relay)
        return None if self._is_tried else self._first_kinds

    async def look_back(self, worker: str) -> None:
        """See how the relay's last letters ended, whoever sent them; this worker is one of it."""
        if not self._is_known:
            await pauses.note_worker(self._database, worker, self._relay)
            self._is_known = True
        ended = await pauses.recent(self._database, self._relay)
        self._ended = deque(ended, maxlen=pauses.RECENT)

    async def claim_trial(self, worker: str, kinds: Sequence[str]) -> list[Claimed]:
        """Take one letter of these kinds while too much was refused for others to leave.

        None for a while after the relay could not be used at all for the last such letter.
        """
        if not kinds or time.monotonic() < self._no_trial_before:
            return []
        return await leases.claim_trial(self._database, worker, self._relay, kinds)

    def accepted(self, job: Job) -> None:
        """Note that the server took a letter; a trial may be the proof that all may leave again."""
        self._accepted.add(job.letter.kind)
        self._ended.appendleft("sent")
        if job.is_trial:
            self._lost_trials = 0
            self._proofs.append(job.letter.id)

    def failed(self, outcome: Outcome, *, is_trial: bool = False) -> None:
        """Note a failure; too many of the wrong sort open the circuit.

        One of a trial past the open circuit counts for nothing: its pause stays as it is.
        """
        if is_trial and outcome.pause:
            seconds = backoff.relay_wait(outcome, self._lost_trials)
            self._lost_trials += 1
            self._no_trial_before = time.monotonic() + seconds
            self.down, self._is_resting = outcome, True
        if is_trial or outcome.state != "failed":
            return
        self._ended.appendleft(outcome.reason or outcome.state)
        reason = pauses.judge_circuit(list(self._ended))
        if reason is not None:
            self.down = Outcome("queued", reason, pause=pauses.CIRCUIT_PAUSE, alarm=True)

    async def settle(self) -> None:
        """Write down what was learnt about the relay, and let it rest once a round if it must."""
        if self._accepted:
            await pauses.note_ok(self._database, self._relay)
        if self._trial_kind in self._accepted:
            await pauses.note_tried(self._database, self._relay)
        self._accepted.clear()
        await self._close_circuit()
        if self.down is not None and not self._is_resting:
            await self._rest(self.down)
            self._is_resting = True

    async def _close_circuit(self) -> None:
        proofs, self._proofs = self._proofs, []
        for letter_id in proofs:
            if await pauses.close_circuit(self._database, self._relay, letter_id):
                _log.warning("relay.circuit_closed", relay=self._relay)

    async def _rest(self, outcome: Outcome) -> None:
        failures = await pauses.failures(self._database, self._relay)
        jitter = random.uniform(-1, 1)  # noqa: S311  # spreads workers, guards nothing
        seconds = backoff.relay_wait(outcome, failures, jitter)
        reason = outcome.reason or "relay_down"
        _log.warning("relay.paused", reason=reason, seconds=round(seconds))
        is_due = await pauses.pause(
            self._database, self._relay, seconds, reason, alarm=outcome.alarm
        )
        if is_due:
            _log.error("relay.alarm", relay=self._relay, reason=reason, failures=failures + 1)
