import pytest

from tests import database as test_database
from tests.faults import crew, harness, soak
from tests.faults.ledger import Heard
from tests.notifications import smtp_servers

pytestmark = pytest.mark.xdist_group("faults")

# One fault of each kind that people at work over HTTP can feel.
FAULTS = ("kill_pages", "restart_database", "cut_pages_off", "kill_worker")
# The same storm each time; `make soak` draws others.
SEED = 50


@pytest.mark.long
async def test_people_at_work_lose_nothing_while_pages_database_and_worker_die() -> None:
    folder = test_database.make_folder()
    try:
        async with (
            harness.open_stage(folder, people=crew.MEMBERS) as stage,
            smtp_servers.running() as server,
        ):
            async with soak.brewing(stage, server, 1, workers=1) as storm:
                for fault in FAULTS:
                    assert await storm.let_flow(soak.CALM_SECONDS), f"nothing flows before {fault}"
                    await storm.faults[fault]()
            found = await soak.clear_up(storm)
    finally:
        test_database.remove_folder(folder)

    assert ([], []) == (found.violations(), storm.crew.odd)
    # Each fault struck people at work.
    answers, presses = found.told.count(Heard.YES)
    assert answers >= len(FAULTS)
    assert presses >= len(FAULTS)


@pytest.mark.long
async def test_50_a_short_storm_of_everything_leaves_a_true_history() -> None:
    assert 0 == await soak.run(45, SEED)


@pytest.mark.long
async def test_f3_pages_and_workers_die_at_random_and_everything_promised_stands() -> None:
    assert 0 == await soak.run(60, SEED, ("kill_worker", "kill_pages"))
