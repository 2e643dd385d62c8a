"""Letters between their claim and their connection: in order, written ahead, or put back."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from notifications import letters
from notifications.clerk import Go
from notifications.jobs import Job
from notifications.leases import Claimed
from notifications.stock import STALE_SECONDS, Stock
from tests.notifications import builders

DRAFT = letters.Draft(subject="Sitzung", text="Text.", html="")
PROTOTYPE = letters.prototype(DRAFT, builders.SENDER, "de")


def a_job(*, age: float = 0.0, not_before_tick: float = 0.0) -> Job:
    letter = Claimed(
        id=uuid4(),
        lease_token=1,
        kind="invitation",
        recipient_id=None,
        subject_id=None,
        subject_rev=0,
        locale="de",
        recipient_domain="example.org",
        attempts=0,
        uncertain_count=0,
        unwritable_count=0,
        letter_sha256=None,
        prototype_sha256=None,
        slot_values={},
        dated_at=datetime.now(UTC),
        to_addr=None,
        to_name=None,
    )
    job = Job(letter, Go("a@example.org", "", {}, "key"), PROTOTYPE, time.monotonic() - age)
    job.not_before_tick = not_before_tick
    return job


class Desk:
    """Writes all letters but the unwritable, and remembers what it was given."""

    def __init__(self, *unwritable: Job, batches: Sequence[list[Job]] = ()) -> None:
        self.unwritable = unwritable
        self.written: list[Job] = []
        self.released: list[Job] = []
        self.batches = list(batches)

    def write(self, job: Job) -> bool:
        """Write a letter; False for one that cannot be written."""
        self.written.append(job)
        return job not in self.unwritable

    def more(self) -> list[Job]:
        """Hand out the next batch, if there is one."""
        return self.batches.pop(0) if self.batches else []

    def stock(self, *jobs: Job, room: int = 2) -> Stock:
        """Return a stock of this desk."""
        return Stock(jobs, self.write, self.released.append, more=self.more, room=room)


def take_all(stock: Stock) -> list[Job]:
    taken = []
    while (job := stock.take()) is not None:
        taken.append(job)
    return taken


@pytest.mark.parametrize("ahead", [0, 1, 5])
def test_letters_are_taken_in_their_order_and_written_once(ahead: int) -> None:
    jobs = [a_job() for _ in range(5)]
    desk = Desk()
    stock = desk.stock(*jobs)
    for _ in range(ahead):
        stock.write_ahead()

    assert jobs == take_all(stock)
    assert jobs == desk.written


def test_no_more_letters_are_written_ahead_than_there_is_room_for() -> None:
    jobs = [a_job() for _ in range(5)]
    desk = Desk()
    stock = desk.stock(*jobs, room=2)
    stock.write_ahead()
    stock.write_ahead()

    assert jobs[:2] == desk.written


def test_what_cannot_be_written_takes_no_room() -> None:
    spoilt, *others = [a_job() for _ in range(3)]
    desk = Desk(spoilt)
    stock = desk.stock(spoilt, *others, room=2)
    stock.write_ahead()

    assert [spoilt, *others] == desk.written
    assert others == take_all(stock)


def test_a_letter_that_may_only_leave_later_is_not_written_ahead() -> None:
    later = a_job(not_before_tick=time.monotonic() + 10)
    desk = Desk()
    stock = desk.stock(later)
    stock.write_ahead()

    assert (True, []) == (stock.must_wait(), desk.written)
    assert [later] == take_all(stock)


def test_what_was_claimed_too_long_ago_is_put_back_even_if_it_is_written() -> None:
    stale, fresh = a_job(age=STALE_SECONDS + 1), a_job()
    desk = Desk()
    stock = desk.stock(stale, fresh)
    stock.write_ahead()

    assert [fresh] == take_all(stock)
    assert [stale] == desk.released


def test_when_none_is_left_the_next_batch_is_asked_for() -> None:
    first, second, third = a_job(), a_job(not_before_tick=1.0), a_job()
    desk = Desk(batches=[[second, third]])
    stock = desk.stock(first)
    waits = [stock.must_wait()]
    taken = [stock.take()]
    waits.append(stock.must_wait())
    taken += take_all(stock)

    assert [False, True] == waits
    assert [first, second, third] == taken
    assert stock.taken_over == 3


def test_a_closed_stock_has_given_everything_back_and_asks_for_no_more() -> None:
    jobs = [a_job() for _ in range(4)]
    desk = Desk(batches=[[a_job()]])
    stock = desk.stock(*jobs)
    taken = stock.take()
    stock.write_ahead()
    stock.close()

    assert (jobs[0], jobs[1:]) == (taken, desk.released)
    assert (None, False, 1) == (stock.take(), bool(stock), len(desk.batches))
