"""The table of failures: a row, a test."""

import pytest

from notifications import backoff
from notifications.backoff import Outcome, Phase, Reply

HOUR = 3600.0


@pytest.mark.parametrize(
    ("phase", "reply", "expected"),
    [
        (Phase.CONNECT, None, ("queued", "relay_down", False, True)),
        (Phase.GREETING, Reply(450, "busy"), ("queued", "relay_down", False, True)),
        (Phase.GREETING, Reply(421, "later"), ("queued", "relay_busy", False, True)),
        (Phase.GREETING, Reply(554, "no"), ("queued", "relay_config", False, True)),
        (Phase.TLS, Reply(454, "4.7.0 no TLS now"), ("queued", "relay_busy", False, True)),
        (Phase.TLS, Reply(502, "what?"), ("queued", "relay_config", False, True)),
        (Phase.AUTH, Reply(421, "too many"), ("queued", "relay_busy", False, True)),
        (Phase.AUTH, None, ("queued", "relay_down", False, True)),
        (Phase.TLS, None, ("queued", "relay_config", False, True)),
        (Phase.AUTH, Reply(535, "5.7.8 no"), ("queued", "relay_config", False, True)),
        (Phase.AUTH, Reply(454, "4.7.0 later"), ("queued", "relay_busy", False, True)),
        (Phase.AUTH, Reply(432, "4.3.2 limit"), ("queued", "relay_busy", False, True)),
        (Phase.MAIL, Reply(451, "later"), ("queued", "temporary", True, False)),
        (Phase.MAIL, Reply(552, "5.3.4 big"), ("failed", "too_large", True, False)),
        (Phase.MAIL, Reply(550, "5.7.1 no"), ("queued", "relay_config", False, True)),
        (Phase.MAIL, Reply(432, "4.3.2 limit"), ("queued", "relay_busy", False, True)),
        (Phase.MAIL, Reply(421, "4.3.2 limit"), ("queued", "relay_busy", False, True)),
        (Phase.MAIL, None, ("queued", "relay_down", False, True)),
        (Phase.RCPT, Reply(450, "4.2.0 grey"), ("queued", "temporary", True, False)),
        (Phase.RCPT, Reply(451, "later"), ("queued", "temporary", True, False)),
        (Phase.RCPT, Reply(452, "4.2.2 full"), ("queued", "unreachable", True, False)),
        (Phase.RCPT, Reply(550, "5.3.4 big"), ("queued", "unreachable", True, False)),
        (Phase.RCPT, Reply(551, "5.1.6 moved"), ("failed", "address_refused", True, False)),
        (Phase.RCPT, Reply(553, "5.1.3 odd"), ("failed", "address_refused", True, False)),
        (Phase.RCPT, Reply(550, "5.1.10 no"), ("failed", "address_refused", True, False)),
        (Phase.RCPT, Reply(550, "5.2.1 off"), ("failed", "address_refused", True, False)),
        (Phase.RCPT, Reply(550, "5.1.8 sender"), ("failed", "policy", True, False)),
        (Phase.RCPT, Reply(550, "5.1.1 gone"), ("failed", "address_refused", True, False)),
        (Phase.RCPT, Reply(550, "no such user"), ("failed", "address_refused", True, False)),
        (Phase.RCPT, Reply(550, "5.7.515 spam"), ("failed", "policy", True, False)),
        (Phase.RCPT, Reply(554, "policy"), ("failed", "policy", True, False)),
        (Phase.RCPT, Reply(552, "5.2.2 full"), ("queued", "unreachable", True, False)),
        (Phase.RCPT, Reply(550, "5.4.4 route"), ("queued", "unreachable", True, False)),
        (Phase.RCPT, Reply(421, "bye"), ("queued", "temporary", True, False)),
        (Phase.DATA, Reply(451, "later"), ("queued", "temporary", True, False)),
        (Phase.DOT, Reply(452, "later"), ("queued", "temporary", True, False)),
        (Phase.DOT, Reply(554, "5.7.1 spam"), ("failed", "policy", True, False)),
        (Phase.DOT, Reply(554, "no"), ("failed", "content_refused", True, False)),
        (Phase.DATA, None, ("uncertain", "delivery_unclear", True, False)),
        (Phase.DOT, None, ("uncertain", "delivery_unclear", True, False)),
        (Phase.DOT, Reply(299, "odd"), ("uncertain", "delivery_unclear", True, False)),
    ],
)
def test_phase_and_reply_decide(
    phase: Phase, reply: Reply | None, expected: tuple[str, str, bool, bool]
) -> None:
    found = backoff.decide(phase, reply, 0)

    assert expected == (found.state, found.reason, found.counted, found.pause > 0)


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("code", [400, 421, 432, 450, 499, 500, 535, 550, 552, 554, 599])
def test_every_reply_in_every_phase_has_an_outcome(phase: Phase, code: int) -> None:
    found = backoff.decide(phase, Reply(code), 0)

    assert found.state in {"queued", "failed"}


def test_only_a_hard_refusal_blames_the_address() -> None:
    blamed = {
        (phase, text)
        for phase in Phase
        for text in ("5.1.1 x", "5.7.1 x", "5.2.2 x", "x")
        if backoff.decide(phase, Reply(550, text), 0).blames_address
    }

    assert {(Phase.RCPT, "5.1.1 x"), (Phase.RCPT, "x")} == blamed


def test_a_full_mailbox_or_a_broken_route_is_a_doubt_and_no_more() -> None:
    doubted = {
        text
        for text in ("5.1.1 x", "5.7.1 x", "5.2.2 x", "5.4.4 x", "4.7.1 x", "x")
        if backoff.decide(Phase.RCPT, Reply(550, text), 0).doubts_address
    }

    assert {"5.2.2 x", "5.4.4 x"} == doubted


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


def test_an_unwritable_letter_is_dead_after_three_tries() -> None:
    states = [backoff.decide(Phase.RENDER, None, attempts).state for attempts in range(3)]

    assert states == ["queued", "queued", "dead"]


def test_a_reply_is_kept_without_controls_and_short() -> None:
    found = Reply(550, "5.1.1 no\r\nBcc: x\x00\udcff" + "y" * 900)

    assert (found.enhanced, len(found.text)) == ("5.1.1", 500)
    assert found.text.startswith("5.1.1 no Bcc: x y")
