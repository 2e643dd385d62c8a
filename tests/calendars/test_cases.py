"""Each named case has its test, where the table of cases says."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.calendars.cases import CASES, Case

TESTS = Path(__file__).parents[1]
_LAST_NUMBER = 68
# Acting on proposals and on delegations comes last.
_OPEN = {63, 64}


@cache
def _names(file: str) -> tuple[str, ...]:
    text = (TESTS / file).read_text("utf-8")
    return tuple(re.findall(r"^(?:async )?def test_(\w+)", text, re.MULTILINE))


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.number} {case.name}")
def test_a_case_has_its_test_or_says_why_not(case: Case) -> None:
    if case.why:
        assert ("", True) == (case.file, case.number in _OPEN)
        return
    begin = re.compile(rf"{case.name}(_|$)")

    assert any(begin.match(name) for name in _names(case.file))


def test_no_case_is_missing() -> None:
    assert set(range(1, _LAST_NUMBER + 1)) == {case.number for case in CASES}
    assert len(CASES) == len({(case.name, case.file) for case in CASES})
