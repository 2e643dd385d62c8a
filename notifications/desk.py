"""Decide for claimed letters whether they leave, and write them: no SMTP here."""

import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
import structlog

from notifications import headers, letters
from notifications.clerk import Clerk, Go, Stop
from notifications.envelopes import SmtpEnvelope
from notifications.hurrying import hurried
from notifications.jobs import Endings, Job
from notifications.leases import Claimed
from notifications.letters import Envelope, Sender
from notifications.prototypes import Shelf
from notifications.recording import Mark
from notifications.storage import Database

SIZE_LIMIT = 5_000_000
"""Bytes of a letter; most servers take twice as much, and papers go as links."""

RETRY_SECONDS = hurried(5.0)
LONGEST_RETRY_SECONDS = hurried(300.0)
FEW = 3
"""So many letters of a batch may find the database slow or away before the others are spared it."""

REMEMBERED = 1000
# A database that is away or slow says nothing about the letter.
PASSING = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
)

_log = structlog.get_logger(__name__)


class Desk:
    """Turns claimed letters into jobs, and jobs into bytes; whatever fails ends one letter only."""

    def __init__(
        self,
        database: Database,
        clerk: Clerk,
        sender: Sender,
        endings: Endings,
        clock: Callable[[], datetime],
        *,
        envelope_sender: Callable[[UUID], str],
    ) -> None:
        """`envelope_sender` says for a letter where reports about it go."""
        self._clerk = clerk
        self._shelf = Shelf(database, clerk, sender)
        self._endings = endings
        self._clock = clock
        self._envelope_sender = envelope_sender
        self._waits: dict[UUID, float] = {}

    async def judge(self, claimed: Sequence[Claimed], *, is_trial: bool = False) -> list[Job]:
        """Ask the clerk about the whole batch at once, and return what may leave.

        When that fails, about each letter alone; it raises when nothing at all can be asked.
        """
        tick = time.monotonic()
        try:
            verdicts = await self._clerk.look_up([letter.id for letter in claimed])
        except Exception as error:  # noqa: BLE001  # one letter may be to blame
            _log.warning("mail.batch_not_judged", letters=len(claimed), error=type(error).__name__)
            await self._ask_about_nobody(claimed)
            claimed, verdicts = await self._look_up_alone(claimed)
        found = [await self._judge_one(letter, verdicts, tick) for letter in claimed]
        jobs = [job for job in found if job is not None]
        for job in jobs:
            job.is_trial = is_trial
        return jobs

    def write(self, job: Job) -> bool:
        """Make the letter's bytes; False when it ended here.

        Bytes that were marked before are made again from what was frozen with them, if need be with
        a secret of that time, and refused when they differ.
        """
        try:
            self._address(job)
        except headers.AddressError:
            self._endings.stopped(job.letter, "failed", "address_malformed")
            return False
        try:
            self._render(job)
            self._render_as_promised(job)
        except Exception as error:  # noqa: BLE001  # one unwritable letter stops no other
            self._endings.poisoned(job.letter, error)
            return False
        if len(job.raw) > SIZE_LIMIT:
            self._endings.stopped(job.letter, "failed", "too_large")
            return False
        if job.frozen and job.sha256 != job.letter.letter_sha256:
            self._endings.stopped(job.letter, "dead", "bytes_differ")
            return False
        return True

    async def _ask_about_nobody(self, claimed: Sequence[Claimed]) -> None:
        """Raise and put all letters back when the question fails whomever it is about."""
        try:
            await self._clerk.look_up([])
        except Exception:
            for letter in claimed:
                self._endings.released(letter, RETRY_SECONDS)
            raise

    async def _look_up_alone(
        self, claimed: Sequence[Claimed]
    ) -> tuple[list[Claimed], dict[UUID, Go | Stop]]:
        """Ask about each letter; return those that there is an answer for, the others end here."""
        answered: list[Claimed] = []
        verdicts: dict[UUID, Go | Stop] = {}
        passing = 0
        for letter in claimed:
            if passing >= FEW:
                self._endings.released(letter, RETRY_SECONDS)
                continue
            try:
                verdicts |= await self._clerk.look_up([letter.id])
            except PASSING as error:
                passing += 1
                self._put_off(letter, error)
            except Exception as error:  # noqa: BLE001  # one letter that fails stops no other
                self._endings.poisoned(letter, error)
            else:
                self._waits.pop(letter.id, None)
                answered.append(letter)
        return answered, verdicts

    def _put_off(self, letter: Claimed, error: Exception) -> None:
        """Put a letter back whose own question fails, longer each time: others come first."""
        if len(self._waits) >= REMEMBERED:
            self._waits.clear()
        wait = self._waits.get(letter.id, RETRY_SECONDS)
        self._waits[letter.id] = min(2 * wait, LONGEST_RETRY_SECONDS)
        _log.warning("mail.not_judged", letter=str(letter.id), error=type(error).__name__)
        self._endings.released(letter, wait)

    async def _judge_one(
        self, letter: Claimed, verdicts: Mapping[UUID, Go | Stop], tick: float
    ) -> Job | None:
        verdict = verdicts.get(letter.id, Stop("gone"))
        if isinstance(verdict, Stop):
            self._endings.stopped(letter, verdict.state, verdict.reason)
            return None
        formerly: Sequence[Go] = ()
        try:
            if letter.letter_sha256 is not None and letter.prototype_sha256 is not None:
                prototype = await self._shelf.frozen(letter.prototype_sha256)
                formerly = await self._look_up_formerly(letter)
            else:
                prototype = await self._shelf.composed(verdict.prototype_key, letter)
        except PASSING as error:
            _log.warning("mail.not_composed", letter=str(letter.id), error=type(error).__name__)
            self._endings.released(letter, RETRY_SECONDS)
            return None
        except Exception as error:  # noqa: BLE001  # one unwritable letter stops no other
            self._endings.poisoned(letter, error)
            return None
        return Job(letter, verdict, prototype, tick, formerly=formerly)

    async def _look_up_formerly(self, letter: Claimed) -> list[Go]:
        found = await self._clerk.look_up_formerly([letter.id])
        verdicts = (each.get(letter.id) for each in found)
        return [verdict for verdict in verdicts if isinstance(verdict, Go)]

    def _address(self, job: Job) -> None:
        letter, go = job.letter, job.go
        address, name = (letter.to_addr, letter.to_name) if job.frozen else (go.to_addr, go.to_name)
        job.to_addr = headers.check_address(address or "")
        job.to_name = name or ""

    def _render(self, job: Job) -> None:
        values: Mapping[str, str] = job.go.values
        job.dated_at = self._clock().replace(microsecond=0)
        if job.frozen and job.letter.dated_at is not None:
            # Secrets come from the clerk again, everything else as it was.
            values = {**values, **job.letter.slot_values}
            job.dated_at = job.letter.dated_at
        envelope = Envelope(job.letter.id, job.to_addr, job.to_name)
        job.raw = letters.render(job.prototype, values, envelope, job.dated_at)
        job.sha256 = hashlib.sha256(job.raw).digest()
        if self._shelf.wants_full_gate(job.prototype):
            letters.check(job.prototype, job.raw, envelope)
        sender = self._envelope_sender(job.letter.id)
        job.envelope = SmtpEnvelope(sender, job.to_addr, job.letter.id, len(job.raw))

    def _render_as_promised(self, job: Job) -> None:
        """Write with secrets of former times until the bytes are those that were marked."""
        former = iter(job.formerly)
        while job.frozen and job.sha256 != job.letter.letter_sha256:
            go = next(former, None)
            if go is None:
                return
            job.go = go
            self._render(job)


def mark_of(job: Job) -> Mark:
    """Return what is written down before DATA: the proof, and how to make the bytes again."""
    return Mark(
        id=job.letter.id,
        token=job.letter.lease_token,
        sha256=job.sha256,
        prototype_sha256=job.prototype.sha256,
        slot_values=job.letter.slot_values if job.frozen else job.go.storable(),
        dated_at=job.dated_at,
        to_addr=job.to_addr,
        to_name=job.to_name,
    )
