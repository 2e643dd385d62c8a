"""F3: three workers, one of which dies again and again. Ten seeds run by `kill_points`."""

import pytest

from tests.faults import kill_points
from tests.faults.harness import Stage

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.long]

LETTERS, KILLS, SEED = 300, 3, 11


async def test_f3_kills_at_random_moments_lose_no_letter(stage: Stage) -> None:
    found = await kill_points.kill_at_random(stage, LETTERS, KILLS, SEED)

    assert (LETTERS, []) == (len(found.rows), found.violations())
    assert {"sent"} == {row["state"] for row in found.rows}
