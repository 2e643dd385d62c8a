"""A Python that lacks a repair is named where somebody looks; letters leave all the same."""

import email.policy
import platform
from dataclasses import replace
from types import SimpleNamespace

import pytest
from structlog.testing import capture_logs

from notifications import gates
from service import checking, serving
from service.settings import Settings


@pytest.mark.parametrize(
    ("policy", "expected"),
    [(SimpleNamespace(verify_generated_headers=True), True), (SimpleNamespace(), False)],
)
def test_a_python_that_looks_at_the_headers_it_writes_is_known_by_its_policy(
    policy: object, *, expected: bool
) -> None:
    assert expected == gates.python_guards_headers(policy)


def test_without_being_told_the_python_that_runs_is_meant() -> None:
    expected = gates.python_guards_headers(email.policy.default)

    assert expected == gates.python_guards_headers()


@pytest.mark.parametrize("guards_headers", [True, False])
def test_a_start_warns_once_of_a_python_without_the_repair(*, guards_headers: bool) -> None:
    with capture_logs() as logged:
        serving.warn_of_python(guards_headers=guards_headers)

    expected = [] if guards_headers else [("warning", "python.lacks_a_repair")]
    assert expected == [(line["log_level"], line["event"]) for line in logged]


def test_the_check_names_the_python_and_lets_nobody_wait_for_it() -> None:
    old, new = [checking.look_at_python(guards_headers=each) for each in (False, True)]

    assert (True, True) == (old.is_well, new.is_well)
    assert "update Python" in old.sentence
    assert platform.python_version() in old.sentence
    assert "update" not in new.sentence


async def test_the_check_looks_at_python(settings: Settings, database_url: str) -> None:
    said: list[str] = []
    await checking.run(replace(settings, database_url=database_url), said.append)

    assert 1 == sum(line.startswith("ok      python: ") for line in said)
