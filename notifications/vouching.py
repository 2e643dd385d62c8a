"""Who a mail says it is from, and whether our own mail server found that proved (RFC 8601)."""

import email
import email.utils
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

from notifications import messages, unquoting
from notifications.unquoting import UnclearError

_HEAD_LIMIT = 64 * 1024
_ADDRESS_LIMIT = 500
# One result begins with its method, which may have a version (RFC 8601 section 2.2).
_DMARC = re.compile(r"dmarc ?(?:/ ?\d+ ?)?= ?(\S*)(.*)", re.IGNORECASE | re.ASCII)
_FROM = re.compile(r"(?:^| )header ?\. ?from ?= ?(\S+)", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Sender:
    """The addresses of From and Reply-To in small letters, and whether DMARC proves the first.

    `message_sha256` stands for the Message-ID, or for the whole mail where it has none.
    """

    address: str
    reply_to: str
    is_proved: bool
    message_sha256: bytes


def read(raw: bytes, authserv: str | None) -> Sender:
    """Return what the head says; only the topmost result that our own server signed counts.

    Without `authserv`, the name by which it signs, nothing is proved.
    """
    head = re.split(rb"\r?\n\r?\n", raw[:_HEAD_LIMIT], maxsplit=1)[0]
    message = email.message_from_bytes(head)
    address = _address(message, "From")
    names = message.get_all("From") or []
    said = str(message.get("Message-ID", "")).strip()
    return Sender(
        address=address,
        reply_to=_address(message, "Reply-To"),
        # Two From lines are read differently by different programs.
        is_proved=len(names) == 1 and _is_proved(message, address, authserv),
        message_sha256=hashlib.sha256(said.encode("utf-8", "replace") if said else raw).digest(),
    )


def _address(message: "Message[Any, Any]", name: str) -> str:
    """Return the one address of a header, empty where there is none that could be written down."""
    value = " ".join(str(message.get(name, ""))[:1000].split())
    try:
        [(_, address)] = email.utils.getaddresses([value])
    except Exception:  # noqa: BLE001 - a stranger chose the brackets, and the library counts them
        return ""
    # Cleaned it might be somebody else's.
    return address.lower() if address == messages.one_line(address, _ADDRESS_LIMIT) else ""


def _is_proved(message: "Message[Any, Any]", address: str, authserv: str | None) -> bool:
    domain = address.rpartition("@")[2]
    if not authserv or not domain:
        return False
    results = next(_own_results(message, authserv), "").split(";")
    found = [one for result in results if (one := _DMARC.fullmatch(result.strip()))]
    # Of two results one is somebody else's, and nobody can tell which.
    if len(found) != 1 or found[0][1].lower() != "pass":
        return False
    return {domain} == {one.lower() for one in _FROM.findall(found[0][2])}


def _own_results(message: "Message[Any, Any]", authserv: str) -> Iterator[str]:
    """Yield what our server found, the topmost first: whoever came before it cannot be above.

    It ends at the first line that is unclear: that one may be our server's, about a hostile mail.
    """
    for value in message.get_all("Authentication-Results") or []:
        try:
            words = unquoting.unquote(str(value))
        except UnclearError:
            return
        name, _, rest = words.partition(";")
        if name.strip().partition(" ")[0].lower() == authserv.lower():
            yield rest
