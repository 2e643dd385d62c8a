import re
from pathlib import Path

import pytest

from tests.faults.catalogue import MISSING, WHERE

ROOT = Path(__file__).parents[2]
FAULTS = range(1, 51)


def test_every_fault_has_a_test_or_a_reason_and_never_both() -> None:
    assert set(FAULTS) == set(WHERE) | set(MISSING)
    assert set() == set(WHERE) & set(MISSING)


@pytest.mark.parametrize("number", list(WHERE))
def test_the_tests_of_a_fault_exist(number: int) -> None:
    missing = [
        each
        for each in WHERE[number]
        for file, _, name in [each.partition("::")]
        if not re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    ]

    assert [] == missing
