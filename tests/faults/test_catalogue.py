import re
from pathlib import Path

import pytest

from tests.faults.catalogue import MISSING, PROMISED, UNPROMISED, WHERE

ROOT = Path(__file__).parents[2]
FAULTS = range(1, 51)
OF_PROMISES = [f"F{number}" for number in range(1, 13)]


def test_every_fault_has_a_test_or_a_reason_and_never_both() -> None:
    assert set(FAULTS) == set(WHERE) | set(MISSING)
    assert set() == set(WHERE) & set(MISSING)
    assert sorted(OF_PROMISES) == sorted([*PROMISED, *UNPROMISED])


@pytest.mark.parametrize("number", [*WHERE, *PROMISED])
def test_the_tests_of_a_fault_exist(number: int | str) -> None:
    tests = PROMISED[number] if isinstance(number, str) else WHERE[number]
    missing = [
        each
        for each in tests
        for file, _, name in [each.partition("::")]
        if not re.search(rf"^(async )?def {name}\(", (ROOT / file).read_text("utf-8"), re.MULTILINE)
    ]

    assert [] == missing
