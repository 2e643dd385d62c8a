"""What a domain's TXT records say of its letters: keys (RFC 6376) and policy (RFC 7489); pure."""

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass

SHORT_KEY_BITS = 1024
"""RFC 8301 section 3.2: receivers do not accept less."""

GOOD_KEY_BITS = 2048

_TAG = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_SEQUENCE, _INTEGER, _BIT_STRING = 0x30, 0x02, 0x03
_LONG_FORM = 0x80
_ED25519_BYTES = 32
_POLICIES = frozenset({"none", "quarantine", "reject"})


class UnreadableError(Exception):
    """A record that receivers cannot read."""


@dataclass(frozen=True, slots=True)
class Key:
    """A published key; `bits` is 0 where it was withdrawn (RFC 6376 section 3.6.1)."""

    kind: str
    bits: int
    is_testing: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What receivers are to do with letters that fail, and how strictly they compare domains.

    `below` holds for the domains below the one with the record (the tag sp).
    """

    policy: str
    below: str
    strict_envelope: bool = False
    strict_signature: bool = False
    reports_to: str = ""
    percent: int = 100


def is_policy(text: str) -> bool:
    """Tell whether a TXT record is one of DMARC (RFC 7489 section 6.6.3)."""
    return re.match(r"v\s*=\s*DMARC1\s*(;|$)", text) is not None


def read_key(text: str) -> Key:
    """Read a DKIM key record, or raise `UnreadableError`."""
    tags = _tags(text)
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        raise UnreadableError("no key")
    kind = tags.get("k", "rsa").lower()
    is_testing = "y" in tags.get("t", "").split(":")
    content = re.sub(r"\s", "", tags["p"])
    if not content:
        return Key(kind, 0, is_testing)
    try:
        raw = base64.b64decode(content, validate=True)
    except ValueError:
        raise UnreadableError("no base64") from None
    return Key(kind, _bits(kind, raw), is_testing)


def read_policy(text: str) -> Policy:
    """Read a DMARC record, or raise `UnreadableError`."""
    tags = _tags(text)
    policy, percent = tags.get("p", "").lower(), tags.get("pct", "100")
    below = tags.get("sp", policy).lower()
    if not {policy, below} <= _POLICIES or not percent.isdecimal():
        raise UnreadableError("no policy")
    return Policy(
        policy=policy,
        below=below,
        strict_envelope=tags.get("aspf", "r").lower() == "s",
        strict_signature=tags.get("adkim", "r").lower() == "s",
        reports_to=tags.get("rua", ""),
        percent=int(percent),
    )


def stricter(text: str) -> str:
    """Return a DMARC record that turns forged letters away; all else in it stays."""
    tags = _tags(text)
    policy = "quarantine" if tags["p"].lower() == "none" else tags["p"]
    kept = {name: value for name, value in tags.items() if name != "pct"}
    return "; ".join(f"{name}={value}" for name, value in (kept | {"p": policy}).items())


def is_aligned(sender: str, envelope: str, organisation: str, *, strict: bool) -> bool:
    """Tell whether the envelope's domain speaks for the sender's (RFC 7489 section 3.1).

    `organisation` is the domain that both must lie in; without a list of public suffixes it is
    the one that holds the policy.
    """
    if sender == envelope or strict:
        return sender == envelope
    pair = (sender, envelope)
    return (
        _lies_in(*pair)
        or _lies_in(*reversed(pair))
        or all(_lies_in(each, organisation) for each in pair)
    )


def parents(domain: str) -> list[str]:
    """Return the domain and what lies above it, down to two labels."""
    labels = domain.split(".")
    return [".".join(labels[n:]) for n in range(max(1, len(labels) - 1))]


def _lies_in(domain: str, above: str) -> bool:
    return domain == above or domain.endswith(f".{above}")


def _tags(text: str) -> Mapping[str, str]:
    """Read a list of tags (RFC 6376 section 3.2)."""
    tags: dict[str, str] = {}
    for part in text.split(";"):
        name, found, value = (each.strip() for each in part.partition("="))
        if not name and not found:
            continue
        if not found or not _TAG.fullmatch(name) or name in tags:
            raise UnreadableError(part.strip())
        tags[name] = value
    return tags


def _bits(kind: str, raw: bytes) -> int:
    if kind == "ed25519" and len(raw) == _ED25519_BYTES:
        return 256
    if kind != "rsa":
        raise UnreadableError(kind)
    try:
        return _modulus(raw).bit_length()
    except (IndexError, ValueError):
        raise UnreadableError("no RSA key") from None


def _modulus(der: bytes) -> int:
    """Return the modulus of an RSA key, with or without its SubjectPublicKeyInfo (RFC 5280)."""
    outer, _ = _element(der, _SEQUENCE)
    if outer[0] == _SEQUENCE:
        _, rest = _element(outer, _SEQUENCE)
        bits, _ = _element(rest, _BIT_STRING)
        # The first octet counts unused bits.
        outer, _ = _element(bits[1:], _SEQUENCE)
    modulus, _ = _element(outer, _INTEGER)
    return int.from_bytes(modulus, "big")


def _element(der: bytes, expected: int) -> tuple[bytes, bytes]:
    """Return the content of the first DER element and what follows it."""
    start, size = 2, der[1]
    if size & _LONG_FORM:
        start += size & ~_LONG_FORM
        size = int.from_bytes(der[2:start], "big")
    if der[0] != expected or not size or len(der) < start + size:
        raise ValueError("another element")
    return der[start : start + size], der[start + size :]
