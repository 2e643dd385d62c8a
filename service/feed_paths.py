"""Addresses below /ics/: what each path names, and choices that are signed inside of it."""

import base64
import re
from dataclasses import dataclass
from uuid import UUID

from service import tokens
from service.domain.feed_profiles import Fallen, Profile
from service.tokens import Keys, Purpose

# Longer than what our own page offers; a path must not name thousands.
MOST_GROUPS = 30

_VERSION = 1
_ROUGH, _TENTATIVE, _ENGLISH = 1, 2, 4
_FALLEN = (Fallen.PREFIXED, Fallen.PLAIN, Fallen.LEFT_OUT)
_FALLEN_SHIFT = 3
_HEAD_BYTES, _ID_BYTES, _MAC_BYTES = 2, 16, 10
_SPELLED = re.compile("[a-z2-7]{20,900}")
_BITS = 8
_BITS_OF_A_SIGN = 5


@dataclass(frozen=True, slots=True)
class Address:
    """What a feed's path names: its kind, and the group's slug, the choices or the token."""

    kind: str
    key: str = ""


def read_path(path: str) -> Address | None:
    """Read what an address below /ics/ names; None for what no feed lies under."""
    match path.split("/"):
        case ["", "ics", "alle", "termine.ics"]:
            return Address("public")
        case ["", "ics", "g", slug, name] if slug and name == f"{slug}.ics":
            return Address("group", slug)
        case ["", "ics", "w", choices, "termine.ics"] if choices:
            return Address("chosen", choices)
        case ["", "ics", "p", token, "meine-termine.ics"]:
            return Address("personal", token)
        case ["", "ics", "b", token, "buero.ics"]:
            return Address("office", token)
    return None


def address_path(address: Address) -> str:
    """Write the path of an address; its last part is what programs show as name."""
    match address.kind:
        case "public":
            return "/ics/alle/termine.ics"
        case "group":
            return f"/ics/g/{address.key}/{address.key}.ics"
        case "chosen":
            return f"/ics/w/{address.key}/termine.ics"
        case "personal":
            return f"/ics/p/{address.key}/meine-termine.ics"
    return f"/ics/b/{address.key}/buero.ics"


def sign_choices(keys: Keys, profile: Profile) -> str:
    """Write the choices of a public calendar as one part of a path; equal ones look equal.

    Only groups, rough and tentative dates, what fell out, and the language are public choices.
    """
    flags = (
        _ROUGH * profile.shows_rough
        | _TENTATIVE * profile.shows_tentative
        | _ENGLISH * (profile.locale == "en")
        | _FALLEN.index(profile.fallen) << _FALLEN_SHIFT
    )
    ids = sorted({each.bytes for each in profile.group_ids or ()})
    content = bytes((_VERSION, flags)) + b"".join(ids)
    signed = content + tokens.sign(keys, Purpose.CALENDAR_CHOICE, content, _MAC_BYTES)
    return base64.b32encode(signed).rstrip(b"=").decode().lower()


def read_choices(keys: Keys, spelled: str) -> Profile | None:
    """Read choices that we signed, None for anything else; each has one spelling."""
    raw = _decoded(spelled)
    if raw is None:
        return None
    content, signature = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    if not tokens.is_signed(keys, Purpose.CALENDAR_CHOICE, content, signature):
        return None
    flags, ids = content[1], content[_HEAD_BYTES:]
    groups = [UUID(bytes=ids[at : at + _ID_BYTES]) for at in range(0, len(ids), _ID_BYTES)]
    return Profile(
        group_ids=tuple(groups) or None,
        shows_rough=bool(flags & _ROUGH),
        shows_tentative=bool(flags & _TENTATIVE),
        fallen=_FALLEN[flags >> _FALLEN_SHIFT],
        locale="en" if flags & _ENGLISH else "de",
    )


def _decoded(spelled: str) -> bytes | None:
    if _SPELLED.fullmatch(spelled) is None:
        return None
    length = len(spelled) * _BITS_OF_A_SIGN // _BITS
    ids = length - _HEAD_BYTES - _MAC_BYTES
    if ids < 0 or ids % _ID_BYTES or ids > MOST_GROUPS * _ID_BYTES:
        return None
    try:
        raw = base64.b32decode(spelled.upper() + "=" * (-len(spelled) % 8))
    except ValueError:
        return None
    # The last sign has bits to spare, which would be further spellings of the same choices.
    again = base64.b32encode(raw).rstrip(b"=").decode().lower()
    return raw if again == spelled and raw[0] == _VERSION else None
