"""Links that last are derived from the server's key; nothing that opens them is stored.

A lasting token is a public handle (128 bit, in the row) and an HMAC-SHA-256 over key, purpose,
handle and epoch, cut to 128 bit. Every letter about the same thing carries the same link; raising
the epoch in the row renews it; a stolen database opens nothing. One-time tokens are random and
kept as hash.
"""

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

_HANDLE_BYTES = 16
_MAC_BYTES = 16
# 32 bytes in base32 without padding; the last sign has four bits to spare.
LENGTH = 52
"""Signs of a lasting token."""

_TOKEN = re.compile(f"[a-z2-7]{{{LENGTH}}}")
_SPARE_BITS = 4
# The signs of base32 (RFC 4648) as the digits that Python reads in one go; `base64` goes by sign.
_SIGNS = "abcdefghijklmnopqrstuvwxyz234567"
_DIGITS = str.maketrans(_SIGNS, "0123456789abcdefghijklmnopqrstuv")
# Written two at a time: a letter bears several tokens, and `base64` takes three times as long.
_PAIRS = [first + second for first in _SIGNS for second in _SIGNS]
_SHIFTS = range(250, -1, -10)


class Purpose(StrEnum):
    """What a token opens; inside the MAC, so that no token opens anything else."""

    ANSWER = "answer"
    PERSONAL_PAGE = "personal-page"
    FEED = "feed"
    CALENDAR_PAGE = "calendar-page"
    CALENDAR_CHOICE = "calendar-choice"
    PREFERENCES = "preferences"
    UNSUBSCRIBE_REMINDERS = "unsubscribe-reminders"
    UNSUBSCRIBE_NUDGES = "unsubscribe-nudges"
    UNSUBSCRIBE_DIGEST = "unsubscribe-digest"
    UNSUBSCRIBE_PAPERS = "unsubscribe-papers"
    ORGANISER = "organiser"
    BOUNCE = "bounce"
    FORM = "form"


@dataclass(frozen=True, slots=True)
class Key:
    """One secret with its public id; the id is inside the MAC too."""

    key_id: str
    secret: bytes


@dataclass(frozen=True, slots=True)
class Keys:
    """The current key first, then those that stay valid while rotating."""

    keys: Sequence[Key]

    @property
    def current(self) -> Key:
        """The key that new links are made with."""
        return self.keys[0]


def formerly(keys: Keys) -> list[Keys]:
    """Return the keys as they were while each of the others made new links, in their order."""
    return [
        Keys([key, *(other for other in keys.keys if other is not key)]) for key in keys.keys[1:]
    ]


def _mac(key: Key, purpose: Purpose, handle: bytes, epoch: int) -> bytes:
    message = b"\x00".join(
        (key.key_id.encode(), purpose.value.encode(), handle, str(epoch).encode())
    )
    # By its name the hash is computed in one call; a function would be called step by step.
    return hmac.digest(key.secret, message, "sha256")[:_MAC_BYTES]


def derive(keys: Keys, purpose: Purpose, handle: UUID, epoch: int) -> str:
    """Write the lasting token of a row: 52 signs of lower-case base32."""
    raw = handle.bytes + _mac(keys.current, purpose, handle.bytes, epoch)
    value = int.from_bytes(raw) << _SPARE_BITS
    return "".join([_PAIRS[value >> shift & 1023] for shift in _SHIFTS])


def read_handle(token: str) -> UUID | None:
    """Read the public handle of a token, or None if it is no token at all."""
    raw = _decode(token)
    return None if raw is None else UUID(bytes=raw[:_HANDLE_BYTES])


def matches(keys: Keys, token: str, purpose: Purpose, handle: UUID, epoch: int) -> bool:
    """Tell in constant time whether the token was derived for this row, purpose and epoch."""
    given = _decode(token)
    if given is None:
        return False
    found = False
    for key in keys.keys:
        expected = handle.bytes + _mac(key, purpose, handle.bytes, epoch)
        found |= hmac.compare_digest(given, expected)
    return found


def _decode(token: str) -> bytes | None:
    """Return the bytes of a token; one token has one spelling, but for capitals."""
    lower = token.lower()
    # A sign of another script may have a letter of ours as its small one.
    if not token.isascii() or _TOKEN.fullmatch(lower) is None:
        return None
    value = int(lower.translate(_DIGITS), 32)
    if value & ((1 << _SPARE_BITS) - 1):
        return None
    return (value >> _SPARE_BITS).to_bytes(_HANDLE_BYTES + _MAC_BYTES)


def was_derived(keys: Keys, token: str, purpose: Purpose, handle: UUID, epochs: range) -> bool:
    """Tell whether the token belongs to an earlier epoch of the row: renewed, not unknown."""
    return any(matches(keys, token, purpose, handle, epoch) for epoch in epochs)


def sign(keys: Keys, purpose: Purpose, content: bytes, length: int) -> bytes:
    """Return a signature of plain values that stand in an address, cut to `length` bytes."""
    return _mac(keys.current, purpose, content, 0)[:length]


def is_signed(keys: Keys, purpose: Purpose, content: bytes, signature: bytes) -> bool:
    """Tell in constant time whether one of our keys signed the values."""
    length = len(signature)
    found = False
    for key in keys.keys:
        found |= hmac.compare_digest(signature, _mac(key, purpose, content, 0)[:length])
    return found and length > 0


def draw_secret() -> str:
    """Draw a one-time secret of 256 bit for a link or a session cookie."""
    return secrets.token_urlsafe(32)


def hash_secret(secret: str) -> bytes:
    """Hash a one-time secret for keeping; it has entropy enough for a plain hash."""
    return hashlib.sha256(secret.encode()).digest()


def hash_code(keys: Keys, code: str, context: str) -> bytes:
    """Hash a short code that people type; keyed, because it could be guessed from a plain hash."""
    return hmac.digest(keys.current.secret, f"code\x00{context}\x00{code}".encode(), hashlib.sha256)


def one_time_secret(keys: Keys, row_id: UUID) -> str:
    """Make the secret of a one-time row whose letter is composed later, so that none is stored."""
    mac = hmac.digest(keys.current.secret, b"one-time\x00" + row_id.bytes, hashlib.sha256)
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()


def one_time_code(keys: Keys, row_id: UUID) -> str:
    """Make the six digits that stand beside the secret of the same row."""
    mac = hmac.digest(keys.current.secret, b"one-time-code\x00" + row_id.bytes, hashlib.sha256)
    return f"{int.from_bytes(mac[:8], 'big') % 1_000_000:06d}"
