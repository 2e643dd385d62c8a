"""Commits in groups: who leaves together, who waits, and who is told that it was in vain."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg

from notifications.grouping import Group, Write

LONG = 60.0


@dataclass(frozen=True)
class Item:
    """A change of a row."""

    row_id: UUID
    word: str = ""


class Slow:
    """Writes as a database does: a commit takes its time; some words it cannot take."""

    def __init__(self, *errors: Exception) -> None:
        self.written: list[list[Item]] = []
        self.errors = list(errors)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Write[Item]]:
        """Lend the way to write."""
        yield self.write

    async def write(self, items: Sequence[Item]) -> list[bool]:
        """Take a moment, then fail or take all items in."""
        await asyncio.sleep(0.01)
        if self.errors:
            raise self.errors.pop(0)
        if any(item.word == "spoilt" for item in items):
            raise asyncpg.DataError
        self.written.append(list(items))
        return [True] * len(items)


def a_group(slow: Slow) -> Group[Item]:
    return Group(slow.open, lambda item: item.row_id)


async def test_what_piles_up_during_a_commit_leaves_with_the_next_one() -> None:
    slow = Slow()
    group = a_group(slow)
    first, *others = (Item(uuid4()) for _ in range(5))

    group.submit(first, patience=LONG)
    await asyncio.sleep(0.005)
    for item in others:
        group.submit(item, patience=LONG)
    await group.flush()

    assert slow.written == [[first], others]


async def test_two_changes_of_one_row_leave_one_after_the_other() -> None:
    slow = Slow()
    group = a_group(slow)
    mark, other = Item(uuid4(), "mark"), Item(uuid4())
    end = Item(mark.row_id, "end")

    for item in (mark, end, other):
        group.submit(item, patience=LONG)
    await group.flush()

    assert slow.written == [[mark, other], [end]]


async def test_while_the_database_is_away_only_the_patient_go_on_waiting() -> None:
    slow = Slow(OSError(), OSError())
    group = a_group(slow)
    hasty, patient = Item(uuid4()), Item(uuid4())

    vain = group.submit(hasty, patience=0.05)
    written = group.submit(patient, patience=LONG)
    await group.flush()

    assert (await vain, await written) == (False, True)
    assert slow.written == [[patient]]


async def test_what_comes_while_the_database_is_away_is_given_up_in_its_own_time() -> None:
    slow = Slow(OSError(), OSError())
    group = a_group(slow)
    early, late = Item(uuid4()), Item(uuid4())

    written = group.submit(early, patience=LONG)
    while len(slow.errors) > 1:
        await asyncio.sleep(0)
    vain = group.submit(late, patience=0.1)
    await group.flush()

    assert (await written, await vain) == (True, False)
    assert slow.written == [[early]]


async def test_a_row_that_cannot_be_written_spoils_no_other() -> None:
    slow = Slow()
    group = a_group(slow)
    spoilt, fine = Item(uuid4(), "spoilt"), Item(uuid4())

    vain = group.submit(spoilt, patience=LONG)
    written = group.submit(fine, patience=LONG)
    await group.flush()

    assert (await vain, await written) == (False, True)
    assert slow.written == [[fine]]


async def test_a_commit_waits_a_moment_for_those_who_are_on_their_way() -> None:
    slow = Slow()
    group = a_group(slow)
    # Who is scheduled late comes late, and the moment would be over.
    group.enough, group.gather_seconds = 3, LONG
    items = [Item(uuid4()) for _ in range(3)]

    for item in items:
        group.submit(item, patience=LONG)
        await asyncio.sleep(0)
    await group.flush()

    assert slow.written == [items]


async def test_a_commit_does_not_wait_for_who_never_comes() -> None:
    slow = Slow()
    group = a_group(slow)
    group.enough = 3
    item = Item(uuid4())

    written = group.submit(item, patience=LONG)

    assert await written
    assert slow.written == [[item]]


async def test_who_waits_for_one_try_only_goes_on_when_it_was_in_vain() -> None:
    slow = Slow(OSError())
    group = a_group(slow)
    item = Item(uuid4())

    written = group.submit(item, patience=LONG)
    await group.attempt()
    after_one_try = written.done()
    await group.flush()

    assert (False, [[item]], 0) == (after_one_try, slow.written, len(group))


async def test_who_waits_for_one_try_waits_until_all_is_written_while_it_goes_well() -> None:
    slow = Slow()
    group = a_group(slow)
    items = [Item(uuid4()) for _ in range(3)]

    for item in items:
        group.submit(item, patience=LONG)
        await asyncio.sleep(0)
    await group.attempt(limit=3)
    early = len(slow.written)
    await group.attempt()

    assert (0, 3) == (early, sum(map(len, slow.written)))


async def test_a_row_is_let_pass_and_nobody_else_is_waited_for() -> None:
    slow = Slow(OSError())
    group = a_group(slow)
    own, other = Item(uuid4()), Item(uuid4())

    written = group.submit(own, patience=LONG)
    await group.let_pass({other.row_id})
    early = written.done()
    await group.let_pass({own.row_id, other.row_id})

    assert (False, True) == (early, written.done())
    await group.flush()
