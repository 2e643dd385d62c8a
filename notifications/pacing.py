"""Letters to one recipient domain, one after the other: many at once look like a flood there."""

import time
from collections.abc import Callable, Sequence

from notifications.hurrying import hurried
from notifications.jobs import Job

PATIENCE_SECONDS = hurried(30.0)
"""What would have to wait longer goes back to the queue instead of blocking a connection."""


class Pace:
    """When each domain may get its next letter from this process."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._free_ticks: dict[str, float] = {}

    def spread(self, jobs: Sequence[Job], give_back: Callable[[Job, float], None]) -> list[Job]:
        """Give each job its moment, in their order; hand back what is too far, with its seconds."""
        if self._seconds <= 0:
            return list(jobs)
        now = time.monotonic()
        kept = []
        for job in jobs:
            domain = job.letter.recipient_domain or job.go.to_addr.rpartition("@")[2].lower()
            tick = max(now, self._free_ticks.get(domain, 0.0))
            if tick - now > PATIENCE_SECONDS:
                give_back(job, tick - now)
                continue
            self._free_ticks[domain] = tick + self._seconds
            job.not_before_tick = tick
            kept.append(job)
        return sorted(kept, key=lambda job: job.not_before_tick)
