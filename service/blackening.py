"""Make letters showable: what opens something is struck out, everything else stays."""

import re
from dataclasses import replace

from notifications.clerk import Go
from notifications.letters import LINK_PREFIX

STRUCK = "xxxxxxxx"
_SLOT = re.compile("⟦([a-z][a-z0-9_]*)⟧")
# Tokens are the only words of this length in our addresses.
_TOKEN = re.compile("[A-Za-z0-9_-]{24,}")


def blacken(go: Go) -> Go:
    """Return the verdict with links that open nothing, and without its secrets."""
    return replace(go, values={name: _struck(go, name, value) for name, value in go.values.items()})


def fill(text: str, go: Go) -> str:
    """Put the values into a text's slots; one without a value is struck out."""
    return _SLOT.sub(lambda slot: go.values.get(slot[1], STRUCK), text)


def _struck(go: Go, name: str, value: str) -> str:
    if name in go.secrets:
        return STRUCK
    return _TOKEN.sub(STRUCK, value) if name.startswith(LINK_PREFIX) else value
