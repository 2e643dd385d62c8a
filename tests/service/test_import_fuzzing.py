"""Mutated lists: the import says what is wrong in words, soon, and opens nothing."""

from collections.abc import Callable

import pytest

from service import import_files, importing, reading_facts
from service.database import Database
from service.domain.errors import FieldsError
from service.domain.imports import Kind, Plan
from tests import fuzzing
from tests.builders import NOW
from tests.service.test_importing import DEMO

# Ten times what the slowest may take on an idle machine; what runs away takes far longer.
SECONDS = 2.0
FILES = {
    Kind.MEMBERS: b"".join((DEMO / "members.csv").read_bytes().splitlines(keepends=True)[:40]),
    Kind.PARTNERS: (DEMO / "partners.csv").read_bytes(),
    Kind.MEETINGS: (DEMO / "alliance.json").read_bytes(),
}


def read(kind: Kind) -> Callable[[bytes], object]:
    """Return what reads a list of this kind before the database is asked, errors as values."""

    def reader(raw: bytes) -> object:
        try:
            text = import_files.decode(raw)
            if kind is Kind.MEETINGS:
                return reading_facts.read(text)
            return import_files.guess_columns(kind, import_files.read_table(text).header)
        except FieldsError as error:
            return error

    return reader


def assert_each_is_read_or_refused(kind: Kind, count: int, seed: int) -> None:
    reader = read(kind)
    with fuzzing.watching() as watch:
        for raw in fuzzing.mutants([FILES[kind]], count, seed):
            watch.run(reader, raw)

    assert [] == watch.touched
    assert watch.time_slowest_again(reader) < SECONDS, watch.slowest_input[:2_000]


@pytest.mark.parametrize("kind", FILES)
def test_a_mutated_list_is_read_or_refused_soon(kind: Kind) -> None:
    assert_each_is_read_or_refused(kind, 20, seed=4)


@pytest.mark.long
@pytest.mark.parametrize("kind", FILES)
def test_thousands_of_mutated_lists_are_read_or_refused_soon(kind: Kind) -> None:
    assert_each_is_read_or_refused(kind, 2_000, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("kind", FILES)
async def test_a_mutated_list_becomes_a_plan_or_words(database: Database, kind: Kind) -> None:
    found = {"plan": 0, "words": 0}
    for raw in fuzzing.mutants([FILES[kind]], 400, seed=2):
        try:
            planned = await importing.plan(database, kind, raw, NOW)
        except FieldsError:
            found["words"] += 1
        else:
            found["plan"] += isinstance(planned, Plan)

    assert sum(found.values()) == 400
    assert min(found.values()) > 10
