"""Answers of calendar programs with heads and lines that nothing can be made of."""

from pathlib import Path

import pytest

from service.database import Database
from tests.calendars.replying_programs import Said, plain
from tests.invited import somebody_invited
from tests.service.heard import Hall

PLAIN = "termine@alliance.example.org"
KIND = b"MIME-Version: 1.0\r\nContent-Type: text/calendar; method=REPLY; charset=utf-8\r\n\r\n"


@pytest.fixture
def hall(database: Database, tmp_path: Path) -> Hall:
    return Hall(database, tmp_path)


@pytest.mark.parametrize(
    "head",
    [
        b"From: a@x.example\r\nReply-To: " + b"(" * 900,
        b"From: " + b"(" * 900,
        b"From: a\x00b@x.example",
        b'From: "a\x00b"@x.example',
        b"From: a\x1bb@x.example",
        b"From: a@x.example\r\nReply-To: b\x00@y.example",
        b"From: a@x.example\r\nTo: b\x00@y.example",
        b"From: a@x.example\r\nMessage-ID: <\x00\xff>",
        b"From: " + b"a" * 20_000 + b"@x.example",
        b"From: a@[" + b"(" * 980,
    ],
)
@pytest.mark.parametrize("to", [None, PLAIN])
async def test_no_head_keeps_an_answer_from_being_taken(
    hall: Hall, head: bytes, to: str | None
) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited)
    taken = await hall.take(head + b"\r\n" + KIND + plain(said).encode(), to)
    kept = await hall.database.fetchrow("SELECT outcome, sender FROM calendar_answer")

    assert taken.is_new
    assert kept is not None
    assert ("unconfirmed", True) == (kept["outcome"], kept["sender"].isprintable())


async def test_no_head_keeps_an_answer_to_its_own_address_from_counting(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited)
    head = b"From: " + b"(" * 900 + b"\r\n"
    await hall.take(head + KIND + plain(said).encode(), said.to)

    assert "applied" == await hall.last()


@pytest.mark.parametrize(
    "line",
    ["COMMENT:a\x00b", "UID:\x00", 'ATTENDEE;SENT-BY="mailto:a%00@b":mailto:mi%00ra@x.example'],
)
async def test_no_line_keeps_an_answer_from_being_taken(hall: Hall, line: str) -> None:
    raw = KIND + plain(Said(), line).encode()
    taken = await hall.take(b"From: a@x.example\r\n" + raw, PLAIN)

    assert taken.is_new
    assert 1 == await hall.database.fetchval("SELECT count(*) FROM calendar_answer")
