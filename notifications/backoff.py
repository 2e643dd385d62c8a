"""What a failure means: phase and reply decide, attempts give the wait. A pure table.

Rows are read from the top, the first that fits decides; the ground is mail.md 1.7.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from notifications.hurrying import hurried

STEPS = tuple(hurried(each) for each in (60.0, 120.0, 300.0, 600.0, 900.0, 1800.0))
"""Seconds before the next try; a smart host is near, so the first steps are short."""

LATER = hurried(3600.0)
GREYLIST = hurried(300.0)
"""Greylisting hosts refuse a second try that comes sooner (seconds)."""

RELAY_STEPS = tuple(hurried(each) for each in (10.0, 20.0, 40.0, 80.0, 160.0, 300.0))
"""Seconds for which a relay is left alone, by failures in a row."""

CONFIG_STEPS = (300.0, 600.0, 1200.0, 2400.0, 3600.0)
"""A wrong password that is tried too often locks the account, so the steps grow."""

BUSY_FIRST, BUSY_STEP, BUSY_LIMIT = hurried(30.0), hurried(10.0), hurried(1800.0)
"""Seconds for which a relay that has too many connections is left alone, more each time."""

POISON_LIMIT = 3
JITTER = 0.2
_ENHANCED = re.compile(r"([245]\.\d{1,3}\.\d{1,3})\b")
TEXT_LIMIT = 500
"""Characters of a server's words that are kept."""

UNWELCOME = ("policy", "content_refused")
"""Refusals of what we send or of us; a later letter may prove that they are over."""

FINAL = (*UNWELCOME, "address_refused", "too_large")
"""All refusals after which a letter is not tried again."""

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]+")


class Phase(StrEnum):
    """How far a try got; up to `rcpt` nothing can have been delivered."""

    RENDER = "render"
    CONNECT = "connect"
    GREETING = "greeting"
    TLS = "tls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the server said, fit to be stored; `enhanced` is empty where it gave none (RFC 3463)."""

    code: int
    text: str = ""
    enhanced: str = field(init=False)

    def __post_init__(self) -> None:
        text = _CONTROLS.sub(" ", self.text)[:TEXT_LIMIT]
        found = _ENHANCED.match(text.strip())
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "enhanced", found[1] if found else "")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What becomes of the letter, of its address and of the relay.

    `state` is queued, sent, failed, dead or uncertain; `delay` is in seconds; `counted` burns an
    attempt; `pause` seconds, if any, is for the whole relay; `certain` means that the refusal
    leaves no doubt about the address, `doubts_address` that it may mend itself.
    """

    state: str
    reason: str | None = None
    delay: float = 0.0
    counted: bool = True
    pause: float = 0.0
    blames_address: bool = False
    certain: bool = False
    doubts_address: bool = False
    alarm: bool = False


def _relay_down(_: float) -> Outcome:
    return Outcome("queued", "relay_down", counted=False, pause=RELAY_STEPS[0])


def _relay_config(_: float) -> Outcome:
    return Outcome("queued", "relay_config", counted=False, pause=CONFIG_STEPS[0], alarm=True)


def _relay_busy(_: float) -> Outcome:
    return Outcome("queued", "relay_busy", counted=False, pause=BUSY_FIRST)


def _hard(*, certain: bool) -> Callable[[float], Outcome]:
    return lambda _: Outcome("failed", "address_refused", blames_address=True, certain=certain)


def _final(reason: str) -> Callable[[float], Outcome]:
    return lambda _: Outcome("failed", reason, alarm=True)


def _unreachable(wait: float) -> Outcome:
    return Outcome("queued", "unreachable", delay=max(wait, LATER), doubts_address=True)


def _retry(reason: str, at_least: float = 0.0) -> Callable[[float], Outcome]:
    return lambda wait: Outcome("queued", reason, delay=max(wait, at_least))


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: which phases, codes and enhanced codes it is about (None: any), and what follows."""

    phases: frozenset[Phase]
    code: str | None
    enhanced: str | None
    follows: Callable[[float], Outcome]

    def fits(self, phase: Phase, reply: Reply) -> bool:
        """Tell whether the row is about this failure."""
        return (
            phase in self.phases
            and (self.code is None or re.fullmatch(self.code, str(reply.code)) is not None)
            and (self.enhanced is None or re.fullmatch(self.enhanced, reply.enhanced) is not None)
        )


_STEPS_BY_REASON = {"relay_down": RELAY_STEPS, "relay_config": CONFIG_STEPS}
_BEFORE_MAIL = frozenset({Phase.CONNECT, Phase.GREETING, Phase.TLS, Phase.AUTH})
_MAIL = frozenset({Phase.MAIL})
_RCPT = frozenset({Phase.RCPT})
_CONTENT = frozenset({Phase.DATA, Phase.DOT})
_ALL = frozenset(Phase)
_TAKING = _RCPT | _CONTENT
_FULL = r"[45]\.2\.2"
_TOO_LARGE = r"5\.2\.3|5\.3\.4"
# Codes that say no more than the three digits before them.
_VAGUE = r"(?:5\.[035]\.0)?"
_CERTAINLY_GONE = r"5\.1\.1|5\.1\.10"
_NO_SUCH_ADDRESS = r"5\.1\.(?:[0-3]|6|10)|5\.2\.1"
# 5.1.7 and 5.1.8 are about the sender, which is us.
_ABOUT_US = r"5\.7\.\d+|5\.1\.[78]"

RULES: tuple[Rule, ...] = (
    Rule(_BEFORE_MAIL, "421|432|454", None, _relay_busy),
    Rule(_BEFORE_MAIL, None, r"4\.3\.2", _relay_busy),
    Rule(_BEFORE_MAIL, "4..", None, _relay_down),
    Rule(_BEFORE_MAIL, None, None, _relay_config),
    # Exchange Online says so after the log-in: too many connections, not too many tries.
    Rule(_MAIL, "432", None, _relay_busy),
    Rule(_MAIL, None, r"4\.3\.2", _relay_busy),
    Rule(_ALL, "421", None, _retry("temporary")),
    Rule(_MAIL, "552", None, _final("too_large")),
    Rule(_MAIL, None, r"5\.3\.4", _final("too_large")),
    Rule(_MAIL, "5..", None, _relay_config),
    # A full mailbox and a broken route mend themselves, but not within minutes; some servers
    # notice only when they have the letter.
    Rule(_TAKING, None, _FULL, _unreachable),
    Rule(_TAKING, None, r"5\.4\.\d+", _unreachable),
    Rule(_RCPT, None, r"4\.4\.\d+", _unreachable),
    # Before it has seen the letter a server means what is left in the mailbox.
    Rule(_RCPT, None, _TOO_LARGE, _retry("too_large", LATER)),
    Rule(_CONTENT, None, _TOO_LARGE, _final("too_large")),
    Rule(_TAKING, "552", rf"{_VAGUE}|5\.2\.0", _unreachable),
    Rule(_RCPT, "4..", None, _retry("temporary", GREYLIST)),
    Rule(_ALL, "4..", None, _retry("temporary")),
    Rule(_TAKING, None, _CERTAINLY_GONE, _hard(certain=True)),
    Rule(_TAKING, None, _NO_SUCH_ADDRESS, _hard(certain=False)),
    Rule(_RCPT, "550", "", _hard(certain=False)),
    # A refusal for policy is about us; the address is not blamed.
    Rule(_RCPT, "5..", None, _final("policy")),
    Rule(_CONTENT, None, _ABOUT_US, _final("policy")),
    Rule(_CONTENT, "554", _VAGUE, _final("policy")),
    Rule(_CONTENT, "5..", None, _final("content_refused")),
)


def wait(attempts: int, jitter: float = 0.0) -> float:
    """Return the seconds to the next try; `jitter` from -1 to 1 spreads the hourly ones by 20 %."""
    if attempts < len(STEPS):
        return STEPS[attempts]
    return LATER * (1 + JITTER * jitter)


def relay_wait(outcome: Outcome, failures: int, jitter: float = 0.0) -> float:
    """Return the seconds for which a relay rests after so many failures in a row before this one.

    `jitter` from -1 to 1 spreads workers by 20 %. A pause of any other reason is as it is.
    """
    if outcome.reason == "relay_busy":
        seconds = min(BUSY_FIRST + BUSY_STEP * failures, BUSY_LIMIT)
    elif outcome.reason in _STEPS_BY_REASON:
        steps = _STEPS_BY_REASON[outcome.reason]
        seconds = steps[min(failures, len(steps) - 1)]
    else:
        return outcome.pause
    return seconds * (1 + JITTER * jitter)


def decide(phase: Phase, reply: Reply | None, attempts: int, jitter: float = 0.0) -> Outcome:
    """Return what becomes of a try that failed; `reply` is None when the server gave none.

    `attempts` counts the tries of its sort before this one: those of SMTP that got as far as MAIL,
    or for RENDER those of writing the letter. Without a reply everything up to RCPT is the relay's
    fault and definite; from DATA on nobody knows.
    """
    if phase is Phase.RENDER:
        return _poisoned(attempts)
    if reply is None or reply.code not in range(400, 600):
        if phase is Phase.TLS:
            return _relay_config(0)
        unclear = Outcome("uncertain", "delivery_unclear")
        return unclear if phase in _CONTENT else _relay_down(0)
    waits = wait(attempts, jitter)
    return next(rule.follows(waits) for rule in RULES if rule.fits(phase, reply))


def put_off(outcome: Outcome, attempts: int, jitter: float = 0.0) -> Outcome:
    """Return what becomes of a letter that was tried although the circuit is open.

    That it is unwelcome is no news then: the letter, and it alone, waits for its next try.
    """
    if outcome.reason not in UNWELCOME:
        return outcome
    return Outcome("queued", outcome.reason, delay=wait(attempts, jitter))


def _poisoned(failures: int) -> Outcome:
    if failures + 1 >= POISON_LIMIT:
        return Outcome("dead", "unwritable", counted=False, alarm=True)
    return Outcome("queued", "unwritable", delay=wait(failures), counted=False, alarm=True)
