"""What an enhanced status code says about an address (RFC 3463), and where it hides in words."""

import re
from enum import StrEnum


class Meaning(StrEnum):
    """What is wrong, as the office is told; `unclear` counts as something that may pass."""

    NO_SUCH_ADDRESS = "no_such_address"
    DISABLED = "disabled"
    FULL = "full"
    ROUTING = "routing"
    LETTER = "letter"
    POLICY = "policy"
    TEMPORARY = "temporary"
    UNCLEAR = "unclear"


HARD = frozenset({Meaning.NO_SUCH_ADDRESS, Meaning.DISABLED})
"""The address will not work again by itself."""

BLAMELESS = frozenset({Meaning.LETTER, Meaning.POLICY})
"""The refusal was about the letter or about us; the address is not blamed."""

_MEANINGS = tuple(
    (re.compile(pattern), meaning)
    for pattern, meaning in (
        # 5.1.7 and 5.1.8 are about the sender, which is us.
        (r"5\.1\.[78]", Meaning.POLICY),
        (r"5\.1\.\d+", Meaning.NO_SUCH_ADDRESS),
        (r"5\.2\.1", Meaning.DISABLED),
        (r"[45]\.2\.2", Meaning.FULL),
        (r"5\.2\.3|5\.3\.4|5\.6\.\d+", Meaning.LETTER),
        (r"5\.4\.\d+", Meaning.ROUTING),
        (r"5\.7\.\d+", Meaning.POLICY),
        (r"4\.\d+\.\d+", Meaning.TEMPORARY),
    )
)
# Codes that say no more than that something went wrong: the words beside them know better.
_VAGUE = re.compile(r"[45]\.(?:0|3|5)\.0")
# A code after the three digits of the reply is meant; a bare one may be part of an address.
_AFTER_REPLY = re.compile(r"\b[245]\d\d[ #-]{1,2}([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_BARE = re.compile(r"(?<![\d.])([245]\.\d{1,3}\.\d{1,3})(?![\d.]*\d)")
_REPLY = re.compile(r"(?<![\d.-])([45]\d\d)(?=[ -])")

# The first line that fits decides, so what is about us stands before what is about the address.
# Exchange Online answers with the first one for every address that its directory does not know.
_ODD_DIRECTORY = re.compile(r"recipient address rejected: access denied", re.IGNORECASE)
_PHRASES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("5.1.1", (_ODD_DIRECTORY.pattern,)),
    (
        "5.7.1",
        (
            r"spam|unsolicited|blacklist|blocklist|blocked|reputation|listed at",
            r"dmarc|\bspf\b|dkim|not authenticated|unauthenticated|policy|access denied",
        ),
    ),
    (
        "5.2.2",
        (
            r"quota|mailbox (?:is )?full|(?:postfach|mailbox) (?:ist )?voll|speicherplatz",
            r"insufficient (?:disk|system) (?:space|storage)",
        ),
    ),
    (
        "5.2.1",
        (
            r"(?:mailbox|account|user|recipient)\b.{0,30}\b(?:disabled|inactive|suspended|expired)",
            r"(?:mailbox|account|postfach|konto)\b.{0,30}\b(?:locked|deaktiviert|gesperrt)",
        ),
    ),
    ("5.3.4", (r"too (?:large|big)|exceeds? .{0,40}size|message size|zu gro(?:ß|ss)",)),
    (
        "5.1.1",
        (
            (
                r"(?:unknown|no such|invalid|non-?existent|bad) "
                r"(?:user|recipient|mailbox|address|account|local)"
            ),
            (
                r"(?:user|recipient|mailbox|address|account)s?\b.{0,60}\b(?:unknown|unbekannt|"
                r"not found|not exist|doesn'?t exist|unavailable|invalid|rejected|not listed)"
            ),
            r"no mailbox here|recipientnotfound|unrouteable address",
            (
                r"(?:empfänger|empfaenger|adresse|postfach|benutzer)\b.{0,40}\b(?:unbekannt|"
                r"nicht gefunden|existiert nicht|nicht vorhanden|nicht bekannt)"
            ),
        ),
    ),
    (
        "5.4.4",
        (
            r"relay(?:ing)? (?:access )?denied|loop|too many hops|no route",
            r"host (?:or domain name )?not found|connection (?:refused|timed out)",
        ),
    ),
    ("4.0.0", (r"try again|temporar|greylist|deferred|delayed|verzögert|retry timeout",)),
)
_WORDS = tuple(
    (re.compile("|".join(phrases), re.IGNORECASE), status) for status, phrases in _PHRASES
)


def meaning_of(status: str) -> Meaning:
    """Return what a code means; an empty or a vague one is unclear."""
    if not status or (_VAGUE.fullmatch(status) and status.startswith("5")):
        return Meaning.UNCLEAR
    return next((found for rule, found in _MEANINGS if rule.fullmatch(status)), Meaning.UNCLEAR)


def refine(status: str, words: str) -> str:
    """Return the most telling code: the given one unless it is vague, else what the words say.

    A plain refusal with 550 and nothing else means the address, as it does during SMTP; words that
    say nothing leave the given code.
    """
    if status and not _VAGUE.fullmatch(status) and not _is_odd_directory(status, words):
        return status
    said = _AFTER_REPLY.search(words) or _BARE.search(words)
    if said and not _VAGUE.fullmatch(said[1]) and not _is_odd_directory(said[1], words):
        return said[1]
    phrased = next((meant for rule, meant in _WORDS if rule.search(words)), "")
    return phrased or _of_plain_reply(words) or status


def _of_plain_reply(words: str) -> str:
    reply = _REPLY.search(words)
    if reply is None:
        return ""
    return "5.1.0" if reply[1] == "550" else "4.0.0" if reply[1].startswith("4") else ""


def _is_odd_directory(status: str, words: str) -> bool:
    """Exchange Online speaks of routing where its directory does not know the address."""
    return status == "5.4.1" and _ODD_DIRECTORY.search(words) is not None
