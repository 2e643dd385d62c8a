"""Make letters showable: what opens something is struck out, everything else stays."""

import re
from dataclasses import replace

from notifications.clerk import Go
from notifications.letters import LINK_PREFIX

STRUCK = "xxxxxxxx"
_SLOT = re.compile("⟦([a-z][a-z0-9_]*)⟧")
# Tokens are the only words of this length in our addresses.
_TOKEN = re.compile("[A-Za-z0-9_-]{24,}")
# In words of people stand long words of all sorts, so only the exact shapes of our own tokens are
# struck: lasting ones, also wrapped by a mail program, those of sign-in, and tags of addresses.
_IN_WORDS = re.compile(
    r"[a-z2-7](?:(?:=?\n(?:> ?)*)?[a-z2-7]){51,}|(?<=/l/)[\w-]{43}|(?<=%2fl%2f)[\w-]{43}"
    r"|(?<=\+)[\w-]{32,}(?=@)",
    re.IGNORECASE | re.ASCII,
)


def blacken(go: Go) -> Go:
    """Return the verdict with links that open nothing, and without its secrets."""
    return replace(go, values={name: _struck(go, name, value) for name, value in go.values.items()})


def fill(text: str, go: Go) -> str:
    """Put the values into a text's slots; one without a value is struck out."""
    return _SLOT.sub(lambda slot: go.values.get(slot[1], STRUCK), text)


def strike(words: str) -> str:
    """Strike out every token of ours in what somebody wrote or quoted."""
    return _IN_WORDS.sub(STRUCK, words)


def _struck(go: Go, name: str, value: str) -> str:
    if name in go.secrets:
        return STRUCK
    return _TOKEN.sub(STRUCK, value) if name.startswith(LINK_PREFIX) else value
