import asyncio

from tests.faults.catalogue import PROMISED
from tests.faults.programme.__main__ import PARTS, Part, play_part
from tests.faults.programme.tallies import Tally


def test_every_fault_of_the_promises_can_be_played_as_often_as_it_was_promised() -> None:
    assert list(PROMISED) == list(PARTS)


async def test_whatever_a_run_raises_or_misses_is_counted_and_the_next_one_begins() -> None:
    tally = Tally("F0")
    async with tally.run("one that breaks"):
        raise ValueError("no")
    async with tally.run("one that misses something") as run:
        run.expect(holds=False, otherwise="it was not there")
    async with tally.run("one that goes well") as run:
        run.expect(holds=True, otherwise="never said")
        run.recoveries += [2.0, 0.5, 1.0]

    assert [1, 1, 0] == [len(run.wrong) for run in tally.runs]
    assert 2 == tally.wrong
    assert "F0: 3 runs, well again after 1.0 s, at most 2.0 s, wrong 2" == tally.line()


async def test_a_run_that_stands_still_is_cut_off_and_the_next_one_begins() -> None:
    tally = Tally("F0", run_seconds=0.01)
    async with tally.run("one that stands still"):
        await asyncio.Event().wait()
    async with tally.run("one that goes well"):
        pass

    assert [1, 0] == [len(run.wrong) for run in tally.runs]
    assert tally.runs[0].wrong[0].startswith("TimeoutError")


async def test_what_a_part_did_not_get_to_in_its_time_is_named_and_is_nothing_wrong() -> None:
    async def play(tally: Tally) -> None:
        tally.plan(["one", "two", "three"])
        async with tally.run("one"):
            pass
        async with tally.run("two"):
            await asyncio.Event().wait()

    tally = Tally("F0")
    await play_part(tally, Part("a part without an end", play), seconds=0.01)

    assert ["two", "three"] == tally.missed
    assert "F0: 1 runs, wrong 0, did not get to 2: two; three" == tally.line()


async def test_a_part_without_a_stage_is_wrong_and_other_parts_follow() -> None:
    async def play(tally: Tally) -> None:
        tally.plan(["one"])
        raise OSError("no stage")

    tally = Tally("F0")
    await play_part(tally, Part("a part without a stage", play), seconds=60.0)

    assert (1, ["one"]) == (tally.wrong, tally.missed)
