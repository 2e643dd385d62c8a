"""F2: the pages die in the middle of what somebody saves, five times in each table of each act.

Then replies to what was saved are cut at forty bytes of each, eight at a time, as if the pages had
died after this byte; whoever sent the form sends it again.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from service.database import Database
from service.setting_kinds import read_keys
from tests import database as test_database
from tests.faults import test_web_kills as kills
from tests.faults.programme.tallies import Tally
from tests.faults.test_web_kills import Scene

RUNS, BYTES = 5, 8
KEYS = "t1:" + "5a" * 32
# What was imported is there already; every other act is done anew as often as one likes.
ONCE = {"import"}


async def play(tally: Tally) -> None:
    """Play all runs."""
    turns = tally.turns(RUNS)
    for title in (_written, _unheard, _cut_off):
        tally.plan(title(act, turn) for turn in turns for act in kills.ACTS)
    folder = test_database.make_folder()
    try:
        async with test_database.cloned(folder, "programme") as dsn:
            for turn in turns:
                for act in kills.ACTS:
                    await _die_while_writing(tally, dsn, act, turn)
                    await _cut_replies(tally, dsn, act, turn)
    finally:
        test_database.remove_folder(folder)


@asynccontextmanager
async def _a_scene(dsn: str) -> AsyncIterator[Scene]:
    """Furnish the database, and clean it afterwards."""
    cleaning = await test_database.compose_cleaning(dsn)
    async with Database(dsn, pool_size=4) as database:
        try:
            async with kills.open_scene(database, dsn, read_keys(KEYS)) as scene:
                yield scene
        finally:
            await test_database.hear_last_words(database)
            async with database.reading() as connection:
                await connection.execute(cleaning)


async def _die_while_writing(tally: Tally, dsn: str, act: str, turn: int) -> None:
    async with tally.run(_written(act, turn)) as run:
        async with _a_scene(dsn) as scene:
            await (
                kills.test_f2_killed_while_it_writes_nothing_stands_and_the_next_press_does_it_once(
                    scene, act
                )
            )
        run.notes.append(f"{len(kills.POINTS[act])} kills, each act once in the end")
    async with tally.run(_unheard(act, turn)), _a_scene(dsn) as scene:
        await kills.test_f2_killed_before_its_reply_is_heard_the_next_press_changes_nothing(
            scene, act
        )


async def _cut_replies(tally: Tally, dsn: str, act: str, turn: int) -> None:
    async with tally.run(_cut_off(act, turn)) as run:
        length = await _length_of_reply(dsn, act)
        places = [
            1 + (turn + RUNS * place) * (length - 2) // (RUNS * BYTES - 1) for place in range(BYTES)
        ]
        if act in ONCE:
            for place in places:
                await _cut(dsn, act, [place])
        else:
            await _cut(dsn, act, places)
        run.notes.append(f"before bytes {places} of {length}")


def _written(act: str, turn: int) -> str:
    return f"{act}, killed in each table, run {turn + 1}"


def _unheard(act: str, turn: int) -> str:
    return f"{act}, killed before its reply, run {turn + 1}"


def _cut_off(act: str, turn: int) -> str:
    return f"{act}, its reply cut, run {turn + 1}"


async def _cut(dsn: str, act: str, places: list[int]) -> None:
    async with _a_scene(dsn) as scene, scene.pages():
        for place in places:
            press = await kills.ACTS[act](scene)
            again = await kills.hear_nothing_after(scene, press, place)
            assert again.status_code in kills.AGAIN, again.status_code


async def _length_of_reply(dsn: str, act: str) -> int:
    """Count the bytes of what the sender hears when nothing is cut."""
    async with _a_scene(dsn) as scene, scene.pages():
        press = await kills.ACTS[act](scene)
        answer = await scene.send(press)
        assert answer.status_code == 303, answer.status_code
        head = sum(len(name) + len(value) + 4 for name, value in answer.headers.raw)
        return len(f"HTTP/1.1 303 {answer.reason_phrase}\r\n\r\n") + head + len(answer.content)
