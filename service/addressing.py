"""Read mail addresses as they are kept: one bare address, and its form for comparing."""

import re

from notifications.headers import AddressError, check_address

_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def read_address(text: str) -> str | None:
    """Return the address as letters can carry it, or None when this is not one complete address."""
    try:
        found = check_address(text.strip())
    except AddressError:
        return None
    # A domain without a dot is a half-typed one; no partner's mail goes to a bare host name.
    return found if "." in found.rpartition("@")[2] else None


def refusal_of(text: str) -> str:
    """Name, as a text id, why letters cannot carry what was typed.

    Letters before the @ that ASCII does not have need every server on the way to know SMTPUTF8
    (RFC 6531), so such an address is refused where it is typed; the domain may have them.
    """
    local, _, domain = text.strip().rpartition("@")
    spelt = f"{_NOT_ASCII.sub('x', local)}@{domain}"
    return "err.email" if local.isascii() or read_address(spelt) is None else "err.email_signs"


def normal(address: str) -> str:
    """Return the form that two spellings of one address share."""
    return address.casefold()
