from tests.faults.catalogue import PROMISED
from tests.faults.programme.__main__ import PARTS
from tests.faults.programme.tallies import Tally


def test_every_fault_of_the_promises_can_be_played_as_often_as_it_was_promised() -> None:
    assert list(PROMISED) == list(PARTS)


def test_whatever_a_run_raises_or_misses_is_counted_and_the_next_one_begins() -> None:
    tally = Tally("F0")
    with tally.run("one that breaks"):
        raise ValueError("no")
    with tally.run("one that misses something") as run:
        run.expect(holds=False, otherwise="it was not there")
    with tally.run("one that goes well") as run:
        run.expect(holds=True, otherwise="never said")
        run.recoveries += [2.0, 0.5, 1.0]

    assert [1, 1, 0] == [len(run.wrong) for run in tally.runs]
    assert 2 == tally.wrong
    assert "F0: 3 runs, well again after 1.0 s, at most 2.0 s, wrong 2" == tally.line()
