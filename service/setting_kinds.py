"""What a single setting may hold; each function raises `OddValueError` for anything else."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from email_validator import EmailNotValidError, validate_email

from service.tokens import Key, Keys

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
# The system takes no longer names of sockets.
_SOCKET_PATH = 100


class OddValueError(ValueError):
    """What is odd about one value, as the end of a sentence that begins with its name."""


def text(value: str) -> str:
    """Accept any text of one line."""
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in value):  # noqa: PLR2004 - ASCII controls
        raise OddValueError("contains a control character")
    return value


def path(value: str) -> Path:
    """Accept a path."""
    return Path(text(value))


def number(least: int, most: int) -> Callable[[str], int]:
    """Accept a whole number from `least` to `most`."""

    def parse(value: str) -> int:
        if not re.fullmatch(r"[0-9]{1,9}", value) or not least <= int(value) <= most:
            raise OddValueError(f"must be a whole number from {least} to {most}")
        return int(value)

    return parse


def choice(*words: str) -> Callable[[str], str]:
    """Accept one of the words."""

    def parse(value: str) -> str:
        if value not in words:
            raise OddValueError(f"must be one of {', '.join(words)}")
        return value

    return parse


def flag(value: str) -> bool:
    """Accept yes or no."""
    return choice("yes", "no")(value) == "yes"


def host(value: str) -> str:
    """Accept the name or the IP address of a host."""
    if not re.fullmatch(r"[A-Za-z0-9.:_-]{1,253}", value):
        raise OddValueError(
            "must be a host name or an IP address, without a port and without a path"
        )
    return value


def lmtp_place(value: str) -> str:
    """Accept a socket or a port of this machine, where a mail server hands letters over."""
    kind, _, rest = value.partition(":")
    if kind == "unix" and rest.startswith("/") and len(rest) <= _SOCKET_PATH:
        return f"unix:{path(rest)}"
    host_name, _, port = value.rpartition(":")
    if host_name in LOOPBACK - {"::1"} and re.fullmatch(r"[1-9][0-9]{0,4}", port):
        return f"{host_name}:{number(1, 65535)(port)}"
    raise OddValueError("must be unix:/path/of/socket or a port of this machine, 127.0.0.1:2424")


def domain(value: str) -> str:
    """Accept a domain name, and return it in small letters."""
    if not re.fullmatch(r"(?=.{1,253}$)[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*", value):
        raise OddValueError("must be a domain name such as example.org")
    return value.lower()


def address(value: str) -> str:
    """Accept exactly one mail address; `a@x,b@y` would be cut by the mail client otherwise."""
    try:
        return validate_email(
            value,
            check_deliverability=False,
            test_environment=True,
            allow_display_name=False,
            # As a sender it stands in letters of pure ASCII.
            allow_smtputf8=False,
        ).normalized
    except EmailNotValidError:
        raise OddValueError("must be one mail address such as termine@example.org") from None


def public_url(value: str) -> str:
    """Accept https, and http on this machine only; return it without a slash at the end."""
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise OddValueError("must begin with https:// and name a host")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in parts.netloc:
        raise OddValueError("must be a bare address without path, query and user name")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise OddValueError(
            "must begin with https://, because the office pages need https: browsers keep their "
            "cookies on https and on localhost only"
        )
    return value.rstrip("/")


def answer_address(value: str) -> str:
    """Accept name+@domain, @domain or name@domain, and return it in small letters."""
    local, mark, host_name = value.rpartition("@")
    name, plus = (local[:-1], "+") if local.endswith("+") else (local, "")
    if mark and not local:
        return f"@{domain(host_name)}"
    if not name:
        raise OddValueError("must be such as termine+@example.org or @example.org")
    found_name, _, found_host = address(f"{name}@{host_name}").lower().rpartition("@")
    return f"{found_name}{plus}@{found_host}"


def origins(value: str) -> tuple[str, ...]:
    """Accept addresses of sites with commas, each with its scheme and without a path."""
    found = tuple(each.strip().rstrip("/") for each in value.split(","))
    if not all(
        re.fullmatch(r"https?://[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", each) for each in found
    ):
        raise OddValueError("must be addresses such as https://www.example.org, with commas")
    return found


def database_url(value: str) -> str:
    """Accept the address of a PostgreSQL."""
    if not value.startswith(("postgresql://", "postgres://")):
        raise OddValueError(
            "must begin with postgresql://, because PostgreSQL is the only database"
        )
    return value


def token_key(value: str) -> str:
    """Accept what `read_keys` can read, unchanged."""
    read_keys(value)
    return value


def read_keys(value: str) -> Keys:
    """Read `id:hex` or several of them with commas, the current one first."""
    keys = []
    for part in value.split(","):
        match = re.fullmatch(r"([A-Za-z0-9]{1,16}):((?:[0-9a-fA-F]{2}){32,64})", part.strip())
        if not match:
            raise OddValueError("must be id:key with a key of at least 64 hexadecimal digits")
        keys.append(Key(match[1], bytes.fromhex(match[2])))
    if len({key.key_id for key in keys}) != len(keys):
        raise OddValueError("uses one key id twice")
    return Keys(tuple(keys))
