"""Work through rows that are due; one that fails does not keep those behind it from their turn.

The eldest is always taken first. If it failed each time, nothing behind it would ever be done.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from uuid import UUID

import structlog

# So many broken rows are no accident of a row any more; the next run begins anew.
MOST_FAILED = 20

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Turn:
    """One transaction's share: leave out `failed`, take one of `suspects` alone, note `taken`.

    `taken` is written as soon as the rows are claimed.
    """

    failed: list[UUID]
    suspects: set[UUID]
    taken: list[UUID] = field(default_factory=list)


async def work_through(work: Callable[[Turn], Awaitable[int | None]], most: int) -> int:
    """Take up to `most` turns until one finds nothing (None); return the sum of the others.

    Rows that fail together are tried one by one. What failed is left alone for the rest of the
    run, and the first error is raised when all others had their turn. An error before anything
    was taken (the database is away) is raised at once.
    """
    total = 0
    failed: list[UUID] = []
    suspects: set[UUID] = set()
    first: Exception | None = None
    for _ in range(most):
        turn = Turn(failed, suspects)
        try:
            done = await work(turn)
        except Exception as error:
            if not turn.taken or len(failed) == MOST_FAILED:
                raise
            first = first or error
            _log.warning("due.failed", kind=type(error).__name__, rows=len(turn.taken))
            if len(turn.taken) == 1:
                failed += turn.taken
            suspects.update(turn.taken)
            continue
        if done is None:
            break
        total += done
    if first is not None:
        raise first
    return total
