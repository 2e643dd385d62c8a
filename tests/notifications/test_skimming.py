"""Of a large mail the words and the calendar are kept, in little memory, whatever it looks like."""

import pytest

from calendars import answer
from notifications import messages, skimming
from notifications.skimming import Skimmer
from tests.notifications.large_mails import with_photos

WORDS = "Ich komme gern. Grüße aus der Stadt"


def skimmed(raw: bytes, piece: int) -> bytes:
    skimmer = Skimmer()
    for start in range(0, len(raw), piece):
        skimmer.add(raw[start : start + piece])
        assert skimmer.held <= 2 * skimming.WHOLE_LIMIT + piece
    return skimmer.finish()


def test_a_mail_of_usual_size_is_kept_as_it_came() -> None:
    raw = with_photos(skimming.WHOLE_LIMIT // 2, WORDS)

    assert raw == skimmed(raw, 1000)


@pytest.mark.parametrize(
    "kind",
    [
        "text/calendar; method=REPLY",
        'application/ics; name="antwort"',
        'application/octet-stream; name="invite.ics"',
    ],
)
def test_words_and_calendar_are_kept_among_photos(kind: str) -> None:
    raw = skimmed(with_photos(5_000_000, WORDS, kind), 65_536)

    assert WORDS == messages.parse(raw).text.strip()
    assert ["ACCEPTED"] == [one.answer.value for one in answer.read(raw).people]
    assert len(raw) < 3_000


@pytest.mark.parametrize("piece", [7, 1000, 1_000_000])
def test_in_whatever_pieces_a_mail_comes_the_same_is_kept(piece: int) -> None:
    raw = with_photos(1_400_000, WORDS)

    assert skimmed(raw, len(raw)) == skimmed(raw, piece)


def test_a_letter_that_came_back_keeps_its_head() -> None:
    raw = (
        b"Content-Type: multipart/report; boundary=b\r\n\r\n"
        b"--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; x\r\n\r\n"
        b"Action: failed\r\nStatus: 5.1.1\r\n\r\n"
        b"--b\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <a@b>\r\n"
        b"Content-Type: image/png\r\n\r\n" + b"AAAA\r\n" * 300_000 + b"--b--\r\n"
    )

    kept = skimmed(raw, 4096)

    assert ["5.1.1"] == [
        block["Status"] for block in messages.parse(kept).status_blocks if block["Status"]
    ]
    assert b"Message-ID: <a@b>\r\nContent-Type: image/png\r\n\r\n--b--" in kept


@pytest.mark.parametrize(
    "line",
    [b"\r\n", b"x" * 70 + b"\r\n", b"--b\r\n", b"--b\r\n\r\n", b"x", b"A: " + b"y" * 900 + b"\r\n"],
)
@pytest.mark.parametrize("head", [b"", b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"])
def test_of_any_other_large_mail_a_beginning_is_kept(head: bytes, line: bytes) -> None:
    kept = skimmed(head + line * (1_200_000 // len(line)), 100_000)

    assert kept.startswith((head + line * 20)[:1000])
    assert len(kept) <= skimming.WHOLE_LIMIT
