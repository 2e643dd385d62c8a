"""One worker's view of its relay: whether it stands, crowds may leave, and when it is enough."""

import random
from collections import deque

import structlog

from notifications import backoff, pauses
from notifications.backoff import Outcome
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

    def accepted(self, kind: str) -> None:
        """Note that the server took a letter."""
        self._accepted.add(kind)
        self._ended.appendleft("sent")

    def failed(self, outcome: Outcome) -> None:
        """Note a failure; too many of the wrong sort open the circuit."""
        if outcome.state != "failed":
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
        if self.down is not None and not self._is_resting:
            self._is_resting = True
            await self._rest(self.down)

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
