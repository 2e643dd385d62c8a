import secrets

import pytest

from tests.faults import soak

pytestmark = pytest.mark.xdist_group("faults")


@pytest.mark.long
async def test_50_a_short_storm_of_everything_leaves_a_true_history() -> None:
    seed = secrets.randbelow(10**6)

    assert 0 == await soak.run(45, seed), f"seed {seed}"
