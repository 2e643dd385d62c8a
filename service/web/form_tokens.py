"""The hidden field `ft`: proof that a form came from one of our pages, not long ago."""

import hmac
import re
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256

LIFE = timedelta(hours=12)
# Two servers' clocks may differ by this much.
_EARLY = timedelta(minutes=5)
_SHAPE = re.compile(r"([0-9a-f]{1,10})\.([0-9a-f]{32})")


def make(secret: bytes, now: datetime) -> str:
    """Make a token of this moment."""
    issued = f"{int(now.timestamp()):x}"
    return f"{issued}.{_mac(secret, issued)}"


def is_fresh(token: str, secrets: Iterable[bytes], now: datetime) -> bool:
    """Tell whether one of the secrets made the token within the last twelve hours."""
    match = _SHAPE.fullmatch(token)
    if match is None:
        return False
    issued, given = match.groups()
    known = any([hmac.compare_digest(given, _mac(secret, issued)) for secret in secrets])  # noqa: C419 - every secret is tried, so that time tells nothing
    age = now.timestamp() - int(issued, 16)
    return known and -_EARLY.total_seconds() <= age <= LIFE.total_seconds()


def _mac(secret: bytes, issued: str) -> str:
    return hmac.digest(secret, b"ft\x00" + issued.encode(), sha256)[:16].hex()
