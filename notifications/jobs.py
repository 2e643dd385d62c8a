"""A letter on its way, and the record of how each way ended."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog

from notifications import addresses, backoff, crashing, recording
from notifications.addresses import Verdict
from notifications.backoff import Outcome, Phase, Reply
from notifications.clerk import Go
from notifications.envelopes import SmtpEnvelope
from notifications.grouping import Group, Item, Write
from notifications.leases import Claimed
from notifications.letters import Prototype
from notifications.options import strike_nothing
from notifications.recording import ACCEPTED_CODE, Blame, Ending, Mark
from notifications.relay import SmtpError
from notifications.storage import Connection, Database

WriteOver = Callable[[Any, Sequence[Item]], Awaitable[Sequence[bool]]]
UNDATED = datetime.min.replace(tzinfo=UTC)
MARK_PATIENCE_SECONDS = 5.0
ALARM_SECONDS = 3600.0
"""Between two alarms for one reason; every single letter stands in the log of the office."""


_log = structlog.get_logger(__name__)


@dataclass(slots=True, eq=False)
class Job:
    """A claimed letter with everything it takes to write and send it; ticks are monotonic."""

    letter: Claimed
    go: Go
    prototype: Prototype
    claimed_tick: float
    not_before_tick: float = 0.0
    raw: bytes = b""
    sha256: bytes = b""
    dated_at: datetime = UNDATED
    to_addr: str = ""
    to_name: str = ""
    envelope: SmtpEnvelope = field(init=False)
    mark: "asyncio.Future[bool] | None" = None
    marked_tick: float = 0.0
    started_at: datetime | None = None
    data_started_at: datetime | None = None
    is_trial: bool = False
    formerly: Sequence[Go] = ()

    @property
    def frozen(self) -> bool:
        """Tell whether these bytes were marked before, so that they may only leave unchanged."""
        return self.letter.letter_sha256 is not None


class Endings:
    """Writes in groups what is about to leave and how claims ended.

    Refusals that say something of an address are a group of their own: whoever else works on that
    address holds up them, and no other letter.
    """

    def __init__(
        self,
        database: Database,
        worker: str,
        clock: Callable[[], datetime],
        once_kinds: tuple[str, ...],
        urgent_kinds: tuple[str, ...] = (),
        *,
        strike: Callable[[str], str] = strike_nothing,
    ) -> None:
        self._database = database
        self._worker = worker
        self._clock = clock
        self._once_kinds = once_kinds
        self._urgent_kinds = urgent_kinds
        self._strike = strike
        self._alarmed: dict[str, float] = {}
        self._group: Group[Mark | Ending] = Group(
            partial(self._open_writer, self._write), lambda item: item.id
        )
        self._refusals: Group[Ending] = Group(
            partial(self._open_writer, self._write_refusals), lambda ending: ending.id
        )

    def mark(self, mark: Mark) -> "asyncio.Future[bool]":
        """Write before DATA that the letter may reach somebody; tell whether it is still ours."""
        return self._group.submit(mark, patience=MARK_PATIENCE_SECONDS)

    def stopped(self, letter: Claimed, state: str, reason: str) -> None:
        """Note that the letter does not leave; nothing was tried."""
        self._end(Ending(id=letter.id, token=letter.lease_token, state=state, reason=reason))

    def released(self, letter: Claimed, delay: float = 0.0) -> None:
        """Put the letter back into the queue as it was; even a mark is taken back."""
        self._end(Ending(id=letter.id, token=letter.lease_token, state="queued", delay=delay))

    def poisoned(self, letter: Claimed, error: Exception) -> None:
        """Note that the letter cannot be written: again soon, three times at most."""
        outcome = backoff.decide(Phase.RENDER, None, letter.unwritable_count)
        _log.error("mail.unwritable", letter=str(letter.id), error=type(error).__name__)
        self._end(
            Ending(
                id=letter.id,
                token=letter.lease_token,
                state=outcome.state,
                reason=outcome.reason,
                delay=outcome.delay,
                counted=outcome.counted,
                tried=True,
                phase=Phase.RENDER,
                reply=f"{type(error).__name__}: {error}"[: backoff.TEXT_LIMIT],
                started_at=self._clock(),
            )
        )

    def sent(self, job: Job, words: str) -> None:
        """Note that the server took the letter over, with these words."""
        self._end(
            Ending(
                id=job.letter.id,
                token=job.letter.lease_token,
                state="sent",
                counted=True,
                tried=True,
                phase=Phase.DOT,
                code=ACCEPTED_CODE,
                reply=self._strike(words),
                started_at=job.started_at or self._clock(),
                data_started_at=job.data_started_at,
            )
        )

    def failed(self, job: Job, error: SmtpError) -> Outcome:
        """Note a failed try, and return what that means, for the relay too."""
        jitter = random.uniform(-1, 1)  # noqa: S311  # spreads retries, guards nothing
        letter, reply = job.letter, error.reply
        outcome = backoff.decide(error.phase, reply, letter.attempts, jitter)
        if job.is_trial:
            outcome = backoff.put_off(outcome, letter.attempts, jitter)
        if outcome.state == "queued":
            crashing.pass_point("in_retry")
        self._end(
            Ending(
                id=letter.id,
                token=letter.lease_token,
                state=outcome.state,
                reason=outcome.reason,
                delay=outcome.delay,
                counted=outcome.counted,
                tried=True,
                phase=error.phase,
                code=reply.code if reply else None,
                enhanced=reply.enhanced if reply else None,
                reply=self._strike(error.what),
                started_at=job.started_at or self._clock(),
                data_started_at=job.data_started_at,
                once=letter.kind in self._once_kinds,
                hold=0.0 if letter.kind in self._urgent_kinds else recording.HOLD_SECONDS,
                blame=_blame(job.to_addr, outcome, reply),
            )
        )
        if outcome.alarm and not outcome.pause:
            self._raise_alarm(letter, outcome.reason or outcome.state)
        return outcome

    def expect(self, count: int, meanwhile: Callable[[], object]) -> None:
        """Say how many letters are on their way at once; what ends together is written together.

        `meanwhile` is a little other work, done whenever the database writes.
        """
        self._group.enough = 2 * count
        self._group.meanwhile = meanwhile

    async def make_room(self, limit: int) -> None:
        """Wait while more ends than the limit are not written: they would all become unclear.

        Refusals whose address is locked are not waited for; they are with nobody.
        """
        await self._refusals.attempt(limit)
        await self._group.make_room(max(0, limit - len(self._refusals)))

    async def flush(self, *, insist: bool = False) -> None:
        """Wait until all ends are written, with `insist` even refusals whose address is locked."""
        await self._group.flush()
        await (self._refusals.flush() if insist else self._refusals.attempt())

    def _raise_alarm(self, letter: Claimed, reason: str) -> None:
        now = time.monotonic()
        if now - self._alarmed.get(reason, -ALARM_SECONDS) >= ALARM_SECONDS:
            self._alarmed[reason] = now
            _log.error("mail.refused", letter=str(letter.id), reason=reason)

    def _end(self, ending: Ending) -> None:
        group = self._group if ending.blame is None else self._refusals
        group.submit(ending, patience=recording.MARKED_SECONDS)

    @asynccontextmanager
    async def _open_writer(self, write: WriteOver[Item]) -> AsyncIterator[Write[Item]]:
        # One connection for as long as something waits: to borrow it costs as much as a write.
        async with self._database.reading() as connection:
            yield partial(write, connection)

    async def _write(self, connection: Any, items: Sequence[Mark | Ending]) -> list[bool]:
        """Write marks and ends in one statement, which is a transaction."""
        marks = [item for item in items if isinstance(item, Mark)]
        endings = [item for item in items if isinstance(item, Ending)]
        marked, ended = await recording.record(connection, marks, endings, self._worker)
        if endings:
            crashing.pass_point("after_end")
        return [item.id in (marked if isinstance(item, Mark) else ended) for item in items]

    async def _write_refusals(self, connection: Any, endings: Sequence[Ending]) -> list[bool]:
        """Write ends and what they say of addresses in one transaction."""
        # Of one letter the mark comes first. It could not while its row is locked here, and with it
        # all that leave together with it could not.
        await self._group.let_pass({ending.id for ending in endings})
        async with connection.transaction():
            _, ended = await recording.record(connection, [], endings, self._worker)
            await self._note(connection, endings)
        crashing.pass_point("after_end")
        return [ending.id in ended for ending in endings]

    async def _note(self, connection: Connection, endings: Sequence[Ending]) -> None:
        """Put refused addresses on record, in one order for all who do so at the same time."""
        blamed = [(ending.blame, ending.id) for ending in endings if ending.blame is not None]
        for blame, letter_id in sorted(blamed, key=lambda one: one[0].address.lower()):
            crashing.pass_point("in_refusal")
            await addresses.note(
                connection,
                blame.address,
                blame.verdict,
                letter_id=letter_id,
                status=blame.status,
                at=self._clock(),
            )


def _blame(address: str, outcome: Outcome, reply: Reply | None) -> Blame | None:
    verdict = _verdict(outcome)
    if verdict is None or reply is None:
        return None
    return Blame(address, verdict, reply.enhanced or str(reply.code))


def _verdict(outcome: Outcome) -> Verdict | None:
    """Return what a refusal says about the address; None when it says nothing."""
    if outcome.blames_address:
        return Verdict.HARD_CONFIRMED if outcome.certain else Verdict.HARD
    return Verdict.SOFT if outcome.doubts_address else None
