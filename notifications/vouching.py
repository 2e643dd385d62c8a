"""Who a mail says it is from, and whether our own mail server found that proved (RFC 8601)."""

import email
import email.utils
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any

_HEAD_LIMIT = 64 * 1024
_COMMENT = re.compile(r"\([^()]*\)")
_DMARC = re.compile(r"(?:^|\s)dmarc\s*=\s*pass\b(.*)", re.IGNORECASE)
_FROM = re.compile(r"header\.from\s*=\s*([A-Za-z0-9.-]+)", re.IGNORECASE)


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
    value = " ".join(str(message.get(name, ""))[:1000].split())
    found = email.utils.getaddresses([value])
    return found[0][1].lower() if len(found) == 1 else ""


def _is_proved(message: "Message[Any, Any]", address: str, authserv: str | None) -> bool:
    domain = address.rpartition("@")[2]
    if not authserv or not domain:
        return False
    own = next(_own_results(message, authserv), None)
    if own is None:
        return False
    for result in own.split(";"):
        found = _DMARC.search(result)
        if found is not None:
            proved = _FROM.search(found[1])
            return proved is not None and proved[1].lower() == domain
    return False


def _own_results(message: "Message[Any, Any]", authserv: str) -> Iterator[str]:
    """Yield what our server found, the topmost first: whoever came before it cannot be above."""
    for value in message.get_all("Authentication-Results") or []:
        words = " ".join(_COMMENT.sub(" ", str(value)[:4000]).split())
        name, _, rest = words.partition(";")
        if name.strip().partition(" ")[0].lower() == authserv.lower():
            yield rest
