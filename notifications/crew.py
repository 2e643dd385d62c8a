"""The connections of one postman, so that a server's slow reply holds up one of them and no more.

A mail server may take ten minutes to answer the end of a letter (RFC 5321, 4.5.3.2.6). Who waits
that long is left behind with its letter, and the others go on with what is due meanwhile.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from notifications.backoff import Outcome
from notifications.hurrying import hurried
from notifications.relay import Link, RelaySettings

LINGER_SECONDS = hurried(5.0, least=0.5)
"""So long a batch waits for its last letters before the next one begins without them."""

Served = tuple[int, Outcome | None]


class Crew:
    """All connections, and which of them are at work; one without a task is idle."""

    def __init__(self, relay: RelaySettings) -> None:
        self.links = [Link(relay) for _ in range(relay.connections)]
        self._at_work: dict[asyncio.Task[Served], Link] = {}

    def idle(self, allowed: int) -> list[Link]:
        """Return the connections that may begin something, when so many are allowed in all."""
        busy = self._busy()
        return [link for link in self.links if link not in busy][: max(0, allowed - len(busy))]

    def is_full(self, allowed: int) -> bool:
        """Tell whether exactly so many connections are at work."""
        return len(self._busy()) == allowed

    def _busy(self) -> list[Link]:
        return [link for task, link in self._at_work.items() if not task.done()]

    @property
    def is_waiting(self) -> bool:
        """Tell whether somebody was left behind with a letter."""
        return bool(self._at_work)

    async def work(
        self,
        links: list[Link],
        serve: Callable[[Link], Coroutine[Any, Any, Served]],
        *,
        has_more: Callable[[], bool],
        leave_behind: Callable[[Link], None],
    ) -> list[Served]:
        """Let connections serve until they end or nothing is left; return how each one ended.

        Those that are still at their last letter then are left behind and not in the result.
        """
        tasks = {asyncio.create_task(serve(link)): link for link in links}
        self._at_work |= tasks
        pending = set(tasks)
        while pending:
            done, pending = await asyncio.wait(
                pending, timeout=LINGER_SECONDS, return_when=asyncio.FIRST_COMPLETED
            )
            if not done and not has_more():
                break
        for task in pending:
            leave_behind(tasks[task])
        self._dismiss()
        return [task.result() for task in tasks if task not in pending]

    async def pause(self, wake: asyncio.Event, seconds: float) -> None:
        """Return when somebody who was left behind has ended, on a call, or after that time."""
        called = asyncio.create_task(wake.wait())
        try:
            await asyncio.wait(
                {called, *self._at_work}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            called.cancel()
        wake.clear()
        self._dismiss()

    def cancel(self) -> None:
        """Break off what is being done; each one says what is known of its letter."""
        for task in self._at_work:
            task.cancel()

    async def finish(self) -> None:
        """Wait for all who are still at work."""
        await asyncio.gather(*self._at_work, return_exceptions=True)
        self._at_work.clear()

    def _dismiss(self) -> None:
        self._at_work = {task: link for task, link in self._at_work.items() if not task.done()}
