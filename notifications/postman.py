"""Claim, ask whether it still holds, write, get as far as RCPT, mark, send, finish.

No transaction is open while SMTP runs. Marks and ends are committed in groups; the end of a
letter is not awaited before the next of its connection, and one is marked ahead meanwhile.
"""

import asyncio
import os
import socket
import time
from collections.abc import Sequence
from functools import partial

import structlog

from notifications import crashing, desk, leases
from notifications.backoff import Outcome, Phase
from notifications.batches import Batches
from notifications.clerk import Clerk
from notifications.crew import Crew, Served
from notifications.desk import Desk
from notifications.hurrying import hurried
from notifications.jobs import Endings, Job
from notifications.letters import Sender
from notifications.options import Options
from notifications.relay import Link, RelaySettings, SmtpError
from notifications.slots import Slots
from notifications.stock import Stock
from notifications.storage import Database
from notifications.watch import Watch

__all__ = ["Options", "Postman"]

POLL_SECONDS = hurried(5.0, least=0.2)
REAP_SECONDS = hurried(30.0, least=0.5)
CUT_SECONDS = 3.0
MARK_VALID_SECONDS = hurried(90.0)
"""A process that slept longer between mark and DATA no longer knows who else acted."""

UNWRITTEN_PER_LINK = 4
"""Ends that may wait for the database; as many letters become unclear if this process dies."""

_log = structlog.get_logger(__name__)


class Postman:
    """Delivers what is due; any number of them may work on one database."""

    def __init__(
        self,
        database: Database,
        relay: RelaySettings,
        clerk: Clerk,
        sender: Sender,
        options: Options | None = None,
    ) -> None:
        self._database = database
        self._relay = relay
        self._options = options or Options()
        self.name = f"{socket.gethostname()}:{os.getpid()}:{os.urandom(3).hex()}"
        clock, urgent_kinds = self._options.clock, self._options.urgent_kinds
        once_kinds, strike = self._options.once_kinds, self._options.strike
        self._endings = Endings(database, self.name, clock, once_kinds, urgent_kinds, strike=strike)
        self._watch = Watch(database, relay.name, self._options.trial_kind, urgent_kinds)
        envelope_sender = self._options.bounce_address or (lambda _: sender.address)
        self._desk = Desk(
            database, clerk, sender, self._endings, clock, envelope_sender=envelope_sender
        )
        self._crew = Crew(relay)
        self._slots = Slots(database, relay.name, self.name, relay.connections)
        self._ahead: dict[Link, Job] = {}
        self._following: asyncio.Task[list[Job] | None]
        self._busy = asyncio.Lock()
        self._wake = asyncio.Event()
        self._stopping = False
        self._door = asyncio.Lock()
        self._batches = Batches(
            database, self.name, relay.name, pace_seconds=self._options.pace_seconds
        )
        self._reaped_tick = -REAP_SECONDS

    def wake(self) -> None:
        """Let the loop look at once; polling stays the truth."""
        self._wake.set()

    async def run(self) -> None:
        """Reap and deliver until `stop` is called; a failing database only costs a round."""
        while not self._stopping:
            handled = 0
            try:
                await self._reap_now_and_then()
                handled = await self.deliver()
            except Exception as error:  # noqa: BLE001  # the next round may find the database again
                _log.warning("postman.round_failed", error=type(error).__name__)
            if not handled:
                await self._rest()

    async def stop(self) -> None:
        """Claim no more, release what is not begun, and give the rest up to half a minute.

        What is still in DATA then is cut off and stays uncertain, as does what cannot be written.
        """
        self._stopping = True
        self._wake.set()
        crashing.pass_point("in_drain")
        try:
            async with asyncio.timeout(self._options.drain_seconds), self._busy:
                pass
        except TimeoutError:
            _log.warning("postman.drain_timed_out")
            for link in self._crew.links:
                link.close()
        try:
            async with asyncio.timeout(CUT_SECONDS), self._busy:
                await self._endings.flush(insist=True)
        except TimeoutError:
            _log.warning("postman.ends_not_written")

    async def reap(self) -> None:
        """Set right what stopped or frozen workers left behind."""
        await leases.reap(self._database, self._options.once_kinds, self._options.urgent_kinds)

    async def _reap_now_and_then(self) -> None:
        if time.monotonic() - self._reaped_tick >= REAP_SECONDS:
            self._reaped_tick = time.monotonic()
            await self.reap()

    async def deliver(self) -> int:
        """Send everything that is due now, batch by batch; return how many letters were handled.

        Other processes may hold all connections that the relay allows: then nothing is handled.
        """
        async with self._busy:
            if not await self._slots.hold():
                return 0
            keeping = asyncio.create_task(self._slots.keep())
            try:
                return await self._deliver()
            except asyncio.CancelledError:
                self._crew.cancel()
                raise
            finally:
                await self._crew.finish()
                keeping.cancel()
                await asyncio.gather(*(link.leave() for link in self._crew.links))
                await self._endings.flush()
                await self._slots.free()

    async def _deliver(self) -> int:
        handled = await self._try_round()
        while self._crew.is_waiting and not self._stopping:
            # What falls due while a server takes its time leaves over the other connections.
            await self._crew.pause(self._wake, POLL_SECONDS)
            handled += await self._try_round(reap=True)
        await self._crew.finish()
        await self._watch.settle()
        return handled

    async def _try_round(self, *, reap: bool = False) -> int:
        """Send what is due now; what fails costs no more than this round while a server is slow."""
        try:
            if reap:
                await self._reap_now_and_then()
            return await self._round()
        except Exception as error:
            if not self._crew.is_waiting:
                raise
            _log.warning("postman.round_failed", error=type(error).__name__)
            return 0

    async def _round(self) -> int:
        # A pause is in the database before it is forgotten here: pressing letters go past it.
        await self._watch.settle()
        self._watch.begin()
        if not self._idle_links():
            return 0
        batch = await self._prepare()
        try:
            if batch is not None:
                await self._watch.look_back(self.name)
        except Exception:
            self._release(batch or [])
            raise
        return await self._send_all(batch)

    def _idle_links(self) -> list[Link]:
        return self._crew.idle(self._slots.count)

    @property
    def _may_go_on(self) -> bool:
        return self._watch.down is None and not self._stopping and self._slots.count > 0

    async def _send_all(self, batch: list[Job] | None) -> int:
        handled = 0
        while batch is not None:
            self._following = asyncio.create_task(self._prepare())
            try:
                handled += await self._send(batch)
            except BaseException:
                await self._give_up_following()
                raise
            upcoming = await self._following
            if not self._may_go_on or not self._idle_links():
                self._release(upcoming or [])
                break
            batch = upcoming
            if batch is None:
                # Letters that waited for an elder of theirs are due as soon as it has ended.
                await self._endings.flush()
                batch = await self._prepare()
        return handled

    async def _give_up_following(self) -> None:
        """Put back what was claimed for after a batch that came to no good end."""
        [upcoming] = await asyncio.gather(self._following, return_exceptions=True)
        self._release(upcoming if isinstance(upcoming, list) else [])

    async def _rest(self) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), POLL_SECONDS)
        except TimeoutError:
            return
        self._wake.clear()

    # Claiming.

    async def _prepare(self) -> list[Job] | None:
        """Return the next batch, empty when nothing of it may leave, None when nothing is due."""
        if self._stopping:
            return None
        pressing_kinds = self._options.pressing_kinds
        return await self._batches.claim(self._desk, self._watch, self._endings, pressing_kinds)

    # Sending.

    async def _send(self, batch: Sequence[Job]) -> int:
        """Send a batch, and what is claimed meanwhile while all goes well; return how many."""
        links = self._idle_links()[: len(batch)]
        stock = Stock(
            batch,
            self._desk.write,
            lambda job: self._release([job]),
            more=self._take_over,
            room=len(links),
        )
        self._endings.expect(len(links), stock.write_ahead)
        served = await self._crew.work(
            links,
            partial(self._serve, stock=stock),
            has_more=lambda: bool(stock),
            leave_behind=self._give_up_ahead,
        )
        stock.close()
        lost = [outcome for _, outcome in served if outcome is not None]
        if lost and not any(count for count, _ in served):
            self._watch.down = self._watch.down or lost[0]
        if self._watch.down is not None:
            # What has led to the pause counts as before it, and not once more after it.
            await self._endings.flush()
        await self._watch.settle()
        return stock.taken_over

    def _take_over(self) -> list[Job]:
        """Hand out the next batch if it is ready: at its end no connection waits for the others.

        Not while a connection has ended: it is opened again with the batch after this one.
        """
        ready = self._following
        if not self._may_go_on or not self._crew.is_full(self._slots.count) or not ready.done():
            return []
        # What went wrong with it is told to whoever waits for it.
        jobs = None if ready.cancelled() or ready.exception() else ready.result()
        if jobs:
            self._following = asyncio.create_task(self._prepare())
        return jobs or []

    async def _serve(self, link: Link, stock: Stock) -> Served:
        """Send letter after letter over one connection; return how many, and why it ended early."""
        sent = 0
        job = self._take(stock)
        while job is not None:
            self._take_ahead(link, stock)
            try:
                lost, accepted = await self._carry(link, job)
            except BaseException as error:
                link.close()
                self._interrupt(job)
                self._give_up_ahead(link)
                if not isinstance(error, Exception):
                    raise
                _log.exception("postman.letter_failed", letter=str(job.letter.id))
                return sent, None
            sent += accepted
            if lost is not None or self._stopping:
                self._give_up_ahead(link)
                return sent, lost
            await self._endings.make_room(UNWRITTEN_PER_LINK * len(self._crew.links))
            job = self._ahead.pop(link, None) or self._take(stock)
        return sent, None

    def _give_up_ahead(self, link: Link) -> None:
        """Let go of what would have been the next letter of a connection."""
        self._release([self._ahead.pop(link, None)])

    def _take(self, stock: Stock) -> Job | None:
        if self._stopping or self._watch.down is not None:
            return None
        return stock.take()

    def _take_ahead(self, link: Link, stock: Stock) -> None:
        """Mark the next letter while this one is being sent, but only where the way is open."""
        if not link.is_open or stock.must_wait():
            return
        job = self._take(stock)
        if job is not None:
            self._ahead[link] = job
            self._mark(job)

    def _mark(self, job: Job) -> "asyncio.Future[bool]":
        if job.mark is None:
            job.mark = self._endings.mark(desk.mark_of(job))
            job.marked_tick = time.monotonic()
        return job.mark

    async def _carry(self, link: Link, job: Job) -> tuple[Outcome | None, bool]:
        """Send one letter; return what ends the connection, if anything, and if it was accepted."""
        if job.not_before_tick:
            await asyncio.sleep(max(0.0, job.not_before_tick - time.monotonic()))
        job.started_at = self._options.clock()
        try:
            if not await self._let_in(link):
                self._release([job])
                return None, False
            await link.address(job.envelope)
            crashing.pass_point("after_rcpt")
            if not await self._mark(job):
                await link.rewind()
                return None, False
            crashing.pass_point("after_mark")
            if time.monotonic() - job.marked_tick > MARK_VALID_SECONDS:
                self._release([job])
                await link.rewind()
                return None, False
            job.data_started_at = self._options.clock()
            ahead = self._ahead.get(link)
            words = await link.transfer(job.raw, ahead.envelope if ahead else None)
        except SmtpError as error:
            return self._failed(job, error), False
        except ValueError as error:
            link.close()
            self._endings.poisoned(job.letter, error)
            return None, False
        crashing.pass_point("after_reply")
        self._endings.sent(job, words)
        self._watch.accepted(job)
        self._batches.count_sent()
        return None, True

    async def _let_in(self, link: Link) -> bool:
        """Open a connection, one after the other: a refused password is tried once a pause."""
        if link.is_open:
            return True
        async with self._door:
            if self._watch.down is not None:
                return False
            await link.open()
            crashing.pass_point("after_connect")
        return True

    def _failed(self, job: Job, error: SmtpError) -> Outcome | None:
        """Return the outcome when it concerns the relay and not only this letter.

        While other connections stand, a lost one is a matter of its own: servers limit them.
        """
        outcome = self._endings.failed(job, error)
        self._watch.failed(outcome, is_trial=job.is_trial)
        if not outcome.pause:
            return None
        if outcome.alarm or not any(link.is_open for link in self._crew.links):
            self._watch.down = outcome
        return outcome

    def _interrupt(self, job: Job) -> None:
        """Nobody knows what became of a letter in DATA; before it nothing can have happened."""
        if job.data_started_at is None:
            self._release([job])
        else:
            self._endings.failed(job, SmtpError(Phase.DOT, None, "interrupted"))

    def _release(self, jobs: Sequence[Job | None]) -> None:
        for job in jobs:
            if job is not None:
                self._endings.released(job.letter)
