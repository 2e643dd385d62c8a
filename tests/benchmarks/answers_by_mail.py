"""Answers of calendar programs a second in one worker, beside merely parsing the same mails.

`run()` hands honest mails of every dialect to the intake, as the listener does, on a PostgreSQL of
its own that writes as in operation: read, judge, record, commit. The reference parses the same
mails with the standard library and icalendar, and keeps nothing. In turns, the median of five.
Then the slowest of the hostile mails, in CPU of reading alone.
"""

import asyncio
import email
import email.policy
import shutil
import statistics
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import cycle
from pathlib import Path

import icalendar

from calendars import answer
from service import embedded
from service.database import Database
from service.logs import configure_logs
from tests.benchmarks.programme import folder
from tests.calendars.replying_programs import DIALECTS, hostile
from tests.invited import a_meeting, a_person, invite
from tests.service.heard import Hall

ROUNDS = 5
PER_ROUND = 300
AT_ONCE = 4
MEETINGS = 10
MOST_MS = 200
_APPLIED = "SELECT count(*) FROM calendar_answer WHERE outcome = 'applied'"

Mail = tuple[bytes, str]


def run() -> Iterator[str]:
    """Yield the figures as lines."""
    place = folder()
    configure_logs("warning")
    try:
        with asyncio.Runner() as runner:
            yield from runner.run(_measure(place))
    finally:
        shutil.rmtree(place, ignore_errors=True)
    yield _slowest()


async def _measure(place: Path) -> list[str]:
    async with embedded.running(place / "data") as dsn, Database(dsn, pool_size=8) as database:
        await database.migrate()
        hall = Hall(database, place)
        one = [line async for line in _in_turns(hall, 1)]
        return [*one, *[line async for line in _in_turns(hall, AT_ONCE)]]


async def _in_turns(hall: Hall, at_once: int) -> AsyncIterator[str]:
    ours, reference = [], []
    for _ in range(ROUNDS):
        mails = await _mails(hall)
        ours.append(await _take_all(hall, mails, at_once))
        reference.append(_parse_all(mails))
    mine, others = statistics.median(ours), statistics.median(reference)
    yield (
        f"answers by mail, {at_once} at once: {mine:,.0f}/s, parsed with email and icalendar "
        f"{others:,.0f}/s, ratio {mine / others:.2f}"
    )


async def _mails(hall: Hall) -> list[Mail]:
    """Return one answer each of people who have not answered, in all dialects in turn."""
    mails = []
    meetings = [await a_meeting(hall.database, mode="on_site") for _ in range(MEETINGS)]
    for number, dialect in zip(range(PER_ROUND), cycle(DIALECTS.values()), strict=False):
        meeting = meetings[number % MEETINGS]
        person = await a_person(hall.database, f"Person {number}")
        said = await hall.about(await invite(hall.database, meeting, person))
        mails.append((dialect(said), said.to))
    return mails


async def _take_all(hall: Hall, mails: Sequence[Mail], at_once: int) -> float:
    """Take them in and return how many a second were applied; all have to be."""
    before = await hall.database.fetchval(_APPLIED)
    waiting = iter(mails)

    async def take_some() -> None:
        for raw, to in waiting:
            await hall.take(raw, to)

    started = time.perf_counter()
    await asyncio.gather(*(take_some() for _ in range(at_once)))
    taken = time.perf_counter() - started
    applied = await hall.database.fetchval(_APPLIED) - before
    if applied != len(mails):
        raise RuntimeError(f"{applied} of {len(mails)} answers were applied")
    return len(mails) / taken


def _parse_all(mails: Sequence[Mail]) -> float:
    started = time.perf_counter()
    for raw, _ in mails:
        _parse(raw)
    return len(mails) / (time.perf_counter() - started)


def _parse(raw: bytes) -> list[str]:
    """Read who answers what, as a program without our care would."""
    found = []
    for part in email.message_from_bytes(raw, policy=email.policy.default).walk():
        if part.get_content_type() == "text/calendar":
            body = part.get_payload(decode=True)
            for event in icalendar.Calendar.from_ical(body).walk("VEVENT"):
                people = event["ATTENDEE"]
                people = people if isinstance(people, list) else [people]
                found += [str(person.params["PARTSTAT"]) for person in people]
    return found


def _slowest() -> str:
    took = {}
    for name, raw in hostile().items():
        started = time.process_time()
        answer.read(raw)
        took[name] = (time.process_time() - started) * 1000
    name = max(took, key=lambda each: took[each])
    verdict = "" if took[name] <= MOST_MS else f"  ABOVE {MOST_MS}"
    return f"slowest of {len(took)} hostile mails: {name}, {took[name]:.0f} ms of CPU{verdict}"
