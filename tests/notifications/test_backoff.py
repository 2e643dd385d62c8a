"""The table of failures: a row, a test."""

import pytest

from notifications import backoff
from notifications.backoff import Outcome, Phase, Reply

HOUR = 3600.0


# What becomes of the letter, why, and of whom it says something: of the relay, which rests without
# an attempt being counted, or of the address.
Row = tuple[str, str, str]
DOWN: Row = ("queued", "relay_down", "relay")
CONFIG: Row = ("queued", "relay_config", "relay")
BUSY: Row = ("queued", "relay_busy", "relay")
LATER: Row = ("queued", "temporary", "")
SLOWLY: Row = ("queued", "unreachable", "doubt")
CERTAIN: Row = ("failed", "address_refused", "certain")
GONE: Row = ("failed", "address_refused", "hard")
POLICY: Row = ("failed", "policy", "")
LARGE: Row = ("failed", "too_large", "")
CONTENT: Row = ("failed", "content_refused", "")
UNCLEAR: Row = ("uncertain", "delivery_unclear", "")

TABLE: tuple[tuple[Phase, Reply | None, Row], ...] = (
    # No way to the relay: no attempt is counted.
    (Phase.CONNECT, None, DOWN),
    (Phase.GREETING, None, DOWN),
    (Phase.AUTH, None, DOWN),
    (Phase.MAIL, None, DOWN),
    (Phase.RCPT, None, DOWN),
    (Phase.GREETING, Reply(450, "busy"), DOWN),
    # The relay does not want us as we are set up.
    (Phase.GREETING, Reply(554, "no"), CONFIG),
    (Phase.TLS, Reply(502, "what?"), CONFIG),
    (Phase.TLS, None, CONFIG),
    (Phase.AUTH, Reply(535, "5.7.8 no"), CONFIG),
    (Phase.MAIL, Reply(550, "no"), CONFIG),
    (Phase.MAIL, Reply(550, "5.7.1 no"), CONFIG),
    (Phase.MAIL, Reply(553, "not your address"), CONFIG),
    (Phase.MAIL, Reply(554, "5.7.0 no"), CONFIG),
    # The relay has too many connections.
    (Phase.GREETING, Reply(421, "later"), BUSY),
    (Phase.TLS, Reply(454, "4.7.0 no TLS now"), BUSY),
    (Phase.AUTH, Reply(421, "too many"), BUSY),
    (Phase.AUTH, Reply(454, "4.7.0 later"), BUSY),
    (Phase.AUTH, Reply(432, "4.3.2 limit"), BUSY),
    (Phase.MAIL, Reply(432, "4.3.2 limit"), BUSY),
    (Phase.MAIL, Reply(421, "4.3.2 limit"), BUSY),
    # MAIL FROM.
    (Phase.MAIL, Reply(451, "later"), LATER),
    (Phase.MAIL, Reply(452, "4.3.1 no room here"), LATER),
    (Phase.MAIL, Reply(552, "too much"), LARGE),
    (Phase.MAIL, Reply(552, "5.3.4 big"), LARGE),
    # RCPT for now.
    (Phase.RCPT, Reply(450, "4.2.0 grey"), LATER),
    (Phase.RCPT, Reply(451, "later"), LATER),
    (Phase.RCPT, Reply(452, "4.5.3 too many"), LATER),
    (Phase.RCPT, Reply(450, "5.1.1 not now"), LATER),
    # The address is not there.
    (Phase.RCPT, Reply(550, "5.1.1 gone"), CERTAIN),
    (Phase.RCPT, Reply(550, "5.1.10 no"), CERTAIN),
    (Phase.RCPT, Reply(550, "5.1.0 no"), GONE),
    (Phase.RCPT, Reply(550, "5.1.2 no such host"), GONE),
    (Phase.RCPT, Reply(553, "5.1.3 odd"), GONE),
    (Phase.RCPT, Reply(551, "5.1.6 moved"), GONE),
    (Phase.RCPT, Reply(550, "5.2.1 off"), GONE),
    (Phase.RCPT, Reply(550, "no such user"), GONE),
    (Phase.DATA, Reply(550, "5.1.1 gone"), CERTAIN),
    (Phase.DOT, Reply(550, "5.1.1 gone"), CERTAIN),
    (Phase.DOT, Reply(554, "5.1.10 no"), CERTAIN),
    (Phase.DOT, Reply(550, "5.2.1 off"), GONE),
    # The refusal is about us or about what we send.
    (Phase.RCPT, Reply(550, "5.7.1 no"), POLICY),
    (Phase.RCPT, Reply(550, "5.7.515 spam"), POLICY),
    (Phase.RCPT, Reply(550, "5.1.8 sender"), POLICY),
    (Phase.RCPT, Reply(552, "5.7.0 blocked"), POLICY),
    (Phase.RCPT, Reply(554, "policy"), POLICY),
    (Phase.DATA, Reply(554, "spam"), POLICY),
    (Phase.DOT, Reply(554, "spam"), POLICY),
    (Phase.DOT, Reply(554, "5.0.0 spam"), POLICY),
    (Phase.DOT, Reply(554, "5.7.1 spam"), POLICY),
    (Phase.DOT, Reply(550, "5.7.515 spam"), POLICY),
    (Phase.DOT, Reply(552, "5.7.0 blocked for security"), POLICY),
    (Phase.DOT, Reply(550, "5.1.8 sender"), POLICY),
    # A full mailbox and a broken route mend themselves, wherever they are noticed.
    *(
        (phase, reply, SLOWLY)
        for phase in (Phase.RCPT, Phase.DATA, Phase.DOT)
        for reply in (
            Reply(552, "full"),
            Reply(552, "5.2.2 full"),
            Reply(554, "5.2.2 full"),
            Reply(452, "4.2.2 full"),
            Reply(550, "5.4.4 route"),
            Reply(554, "5.4.6 loop"),
        )
    ),
    (Phase.RCPT, Reply(451, "4.4.1 no answer there"), SLOWLY),
    (Phase.DOT, Reply(451, "4.4.2 no answer in time"), LATER),
    # Too large: before it has the letter a server means the room that is left.
    (Phase.RCPT, Reply(550, "5.3.4 big"), ("queued", "too_large", "")),
    (Phase.RCPT, Reply(552, "5.2.3 big"), ("queued", "too_large", "")),
    (Phase.DOT, Reply(552, "5.3.4 big"), LARGE),
    (Phase.DOT, Reply(552, "5.2.3 big"), LARGE),
    # The letter itself.
    (Phase.DATA, Reply(451, "later"), LATER),
    (Phase.DOT, Reply(452, "later"), LATER),
    (Phase.DOT, Reply(550, "no"), CONTENT),
    (Phase.DOT, Reply(554, "5.6.0 odd"), CONTENT),
    (Phase.DOT, Reply(500, "what?"), CONTENT),
    # The server goes away in the middle.
    (Phase.RCPT, Reply(421, "bye"), LATER),
    (Phase.DOT, Reply(421, "bye"), LATER),
    # Nobody knows.
    (Phase.DATA, None, UNCLEAR),
    (Phase.DOT, None, UNCLEAR),
    (Phase.DOT, Reply(299, "odd"), UNCLEAR),
)


@pytest.mark.parametrize(("phase", "reply", "expected"), TABLE)
def test_phase_and_reply_decide(phase: Phase, reply: Reply | None, expected: Row) -> None:
    found = backoff.decide(phase, reply, 0)

    assert expected == (found.state, found.reason, _about(found))
    assert found.counted is (expected[2] != "relay")


def _about(outcome: Outcome) -> str:
    if outcome.pause:
        return "relay"
    if outcome.blames_address:
        return "certain" if outcome.certain else "hard"
    return "doubt" if outcome.doubts_address else ""


@pytest.mark.parametrize("phase", [Phase.RCPT, Phase.DATA, Phase.DOT])
@pytest.mark.parametrize("reply", ["5.2.2 full", "5.4.4 route", "4.2.2 full"])
def test_what_mends_itself_slowly_is_tried_once_an_hour_at_most(phase: Phase, reply: str) -> None:
    assert HOUR == backoff.decide(phase, Reply(552, reply), 0).delay


def test_all_final_refusals_are_known_by_name() -> None:
    reasons = {
        (found.reason, found.state)
        for _, reply, _ in TABLE
        for phase in Phase
        if reply is not None
        for found in [backoff.decide(phase, reply, 0)]
    }

    assert set(backoff.FINAL) == {reason for reason, state in reasons if state == "failed"}


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("code", [400, 421, 432, 450, 499, 500, 535, 550, 552, 554, 599])
def test_every_reply_in_every_phase_has_an_outcome(phase: Phase, code: int) -> None:
    found = backoff.decide(phase, Reply(code), 0)

    assert found.state in {"queued", "failed"}


def test_waits_grow_to_an_hour_and_spread_there() -> None:
    waits = [backoff.wait(attempts) for attempts in range(7)]

    assert waits == [60, 120, 300, 600, 900, 1800, HOUR]
    assert backoff.wait(9, -1) == HOUR * 0.8


@pytest.mark.parametrize(
    ("reply", "certain"),
    [("5.1.1 x", True), ("5.1.10 x", True), ("5.1.2 x", False), ("5.2.1 x", False), ("x", False)],
)
def test_only_two_codes_leave_no_doubt_about_an_address(reply: str, *, certain: bool) -> None:
    found = backoff.decide(Phase.RCPT, Reply(550, reply), 0)

    assert (True, certain) == (found.blames_address, found.certain)


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("relay_down", [10, 20, 40, 80, 160, 300, 300]),
        ("relay_config", [300, 600, 1200, 2400, 3600, 3600, 3600]),
        ("relay_busy", [30, 40, 50, 60, 70, 80, 90]),
        ("many_refused", [7, 7, 7, 7, 7, 7, 7]),
    ],
)
def test_a_relay_rests_longer_each_time(reason: str, expected: list[float]) -> None:
    outcome = Outcome("queued", reason, pause=7)

    assert expected == [backoff.relay_wait(outcome, failures) for failures in range(7)]


def test_the_rest_of_a_busy_relay_ends_at_half_an_hour_and_workers_spread() -> None:
    busy = Outcome("queued", "relay_busy", pause=30)

    assert backoff.relay_wait(busy, 1000) == 1800
    assert [backoff.relay_wait(busy, 0, jitter) for jitter in (-1, 1)] == [24, 36]


def test_greylisting_waits_five_minutes_at_least() -> None:
    found = backoff.decide(Phase.RCPT, Reply(451, "4.7.1 greylisted"), 0)

    assert found.delay == 300


def test_an_unwritable_letter_is_dead_after_three_tries_that_count_for_nothing_else() -> None:
    found = [backoff.decide(Phase.RENDER, None, failures) for failures in range(3)]

    assert [("queued", False), ("queued", False), ("dead", False)] == [
        (each.state, each.counted) for each in found
    ]


def test_a_reply_is_kept_without_controls_and_short() -> None:
    found = Reply(550, "5.1.1 no\r\nBcc: x\x00\udcff" + "y" * 900)

    assert (found.enhanced, len(found.text)) == ("5.1.1", 500)
    assert found.text.startswith("5.1.1 no Bcc: x y")
