"""The envelope sender of a letter, by which whatever comes back names the letter (VERP)."""

import base64
import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

_PURPOSE = b"return-address\x00"
_MAC_DIGITS = 16
"""64 bits: nobody can try so many addresses, and the local part stays short."""

_LOCAL_LIMIT = 64
"""Signs of a local part (RFC 5321 section 4.5.3.1.1)."""

_ID_SIGNS = 26
_TAG = re.compile(rf"(.+)\+([a-z2-7]{{{_ID_SIGNS}}})([0-9a-f]{{{_MAC_DIGITS}}})")


@dataclass(frozen=True, slots=True)
class ReturnOptions:
    """Where reports go; each letter has an address of its own with `per_letter`.

    The first secret makes addresses, all of them read one: so a key can be replaced. `per_letter`
    asks for a mailbox that takes what stands behind a plus sign (`recipient_delimiter`).
    """

    address: str
    secrets: Sequence[bytes] = ()
    per_letter: bool = False

    @property
    def names_letters(self) -> bool:
        """Tell whether the address leaves room for the letter's tag."""
        local = self.address.rpartition("@")[0]
        fits = len(local) + 1 + _ID_SIGNS + _MAC_DIGITS <= _LOCAL_LIMIT
        return self.per_letter and bool(self.secrets) and fits


def return_address(options: ReturnOptions, letter_id: UUID) -> str:
    """Return the envelope sender of a letter; the plain address where letters have none."""
    if not options.names_letters:
        return options.address
    local, _, domain = options.address.rpartition("@")
    tag = base64.b32encode(letter_id.bytes).decode().rstrip("=").lower()
    return f"{local}+{tag}{_mac(options.secrets[0], letter_id)}@{domain}"


def letter_of(options: ReturnOptions, recipient: str) -> UUID | None:
    """Return the letter whose envelope sender this is; None for any other or a forged address.

    Case does not count, because mail servers change it. How old the letter may be is the caller's
    business.
    """
    local, _, domain = recipient.strip().strip("<>").lower().rpartition("@")
    own_local, _, own_domain = options.address.lower().rpartition("@")
    found = _TAG.fullmatch(local)
    if found is None or (found[1], domain) != (own_local, own_domain):
        return None
    letter_id = _read_id(found[2])
    # All secrets are compared, so that the time tells nothing about which one fits.
    fitting = [hmac.compare_digest(_mac(one, letter_id), found[3]) for one in options.secrets]
    return letter_id if any(fitting) else None


def _read_id(tag: str) -> UUID:
    return UUID(bytes=base64.b32decode(tag.upper() + "======"))


def _mac(secret: bytes, letter_id: UUID) -> str:
    digest = hmac.digest(secret, _PURPOSE + letter_id.bytes, hashlib.sha256)
    return digest.hex()[:_MAC_DIGITS]
