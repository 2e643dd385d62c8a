"""Read mail addresses as they are kept: one bare address, and its form for comparing."""

from notifications.headers import AddressError, check_address


def read_address(text: str) -> str | None:
    """Return the address as letters can carry it, or None when this is not one complete address."""
    try:
        found = check_address(text.strip())
    except AddressError:
        return None
    # A domain without a dot is a half-typed one; no partner's mail goes to a bare host name.
    return found if "." in found.rpartition("@")[2] else None


def normal(address: str) -> str:
    """Return the form that two spellings of one address share."""
    return address.casefold()
