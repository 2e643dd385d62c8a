"""Claimed letters that are not begun yet, some of them written already."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from notifications import crashing
from notifications.hurrying import hurried
from notifications.jobs import Job

STALE_SECONDS = hurried(60.0)
"""What was not begun so long after its claim goes back to the queue."""


class Stock:
    """The letters of a batch and of those after it, taken one by one in the order of their claim.

    Letters are written ahead while the process would only wait for the database. Until a letter is
    marked nobody knows of its bytes, so what is written and not taken is simply put back.
    """

    def __init__(
        self,
        jobs: Sequence[Job],
        write: Callable[[Job], bool],
        release: Callable[[Job], None],
        *,
        more: Callable[[], Sequence[Job]],
        room: int,
    ) -> None:
        """`write` makes a letter's bytes, False when that ended it; `release` puts it back.

        When none is left, `more` is asked for others. At most `room` letters are written ahead.
        """
        self._jobs = deque(jobs)
        self._written: deque[Job] = deque()
        self._write = write
        self._release = release
        self._more = more
        self.taken_over = len(jobs)
        self._room = room

    def __bool__(self) -> bool:
        return bool(self._written or self._jobs)

    def must_wait(self) -> bool:
        """Tell whether the next letter may only leave at a time of its own."""
        return not self._written and self._fill_up() and bool(self._jobs[0].not_before_tick)

    def take(self) -> Job | None:
        """Return the next letter with its bytes, None when none is left.

        What cannot be written has ended by then, what is stale is put back.
        """
        while self._written or self._fill_up():
            is_written = bool(self._written)
            job = self._written.popleft() if is_written else self._jobs.popleft()
            if time.monotonic() - job.claimed_tick > STALE_SECONDS:
                self._release(job)
            elif is_written or self._make(job):
                return job
        return None

    def write_ahead(self) -> None:
        """Write as many letters as there is room for; none that may only leave later."""
        while len(self._written) < self._room and self._jobs and not self._jobs[0].not_before_tick:
            job = self._jobs.popleft()
            if self._make(job):
                self._written.append(job)

    def close(self) -> None:
        """Put everything back that was not taken, and ask for no more: others are at it now."""
        self._more = tuple
        for job in (*self._written, *self._jobs):
            self._release(job)
        self._written.clear()
        self._jobs.clear()

    def _fill_up(self) -> bool:
        """Tell whether letters are there that are not written, after asking for more if need be."""
        if not self._jobs:
            self._jobs.extend(self._more())
            self.taken_over += len(self._jobs)
        return bool(self._jobs)

    def _make(self, job: Job) -> bool:
        crashing.pass_point("before_render")
        is_written = self._write(job)
        if is_written:
            crashing.pass_point("after_render")
        return is_written
