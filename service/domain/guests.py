"""Guests as somebody types them: one a line, "Name <address>" or an address alone."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from service.domain.errors import FieldsError

FIELD = "extra_emails"
MOST_GUESTS = 200
NAME_LENGTH = 120
_NAMED = re.compile(r"(?P<name>[^<>]*)<(?P<address>[^<>]*)>")

ReadAddress = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Guest:
    """One line: its number from 1, the name, "" without one, and the address."""

    line: int
    name: str
    email: str


def read(text: str, read_address: ReadAddress) -> list[Guest]:
    """Return the guests of a text, each once; empty lines are nothing.

    Raises `FieldsError` that names the first line without a complete address, with a name that is
    too long, or beyond what one session takes.
    """
    guests: dict[tuple[str, str], Guest] = {}
    for number, line in _lines(text):
        found = _NAMED.fullmatch(line)
        name = found["name"].strip(" \t\"'") if found else ""
        typed = (found["address"] if found else line).strip()
        address = read_address(typed)
        if address is None:
            raise refusal(_why(typed), number)
        if len(name) > NAME_LENGTH:
            raise refusal("plan.err_extra_name", number, n=NAME_LENGTH)
        guests.setdefault((address.casefold(), name.casefold()), Guest(number, name, address))
    if len(guests) > MOST_GUESTS:
        raise FieldsError({FIELD: ("plan.err_extra_many", {"n": MOST_GUESTS})})
    return list(guests.values())


def refusal(text: str, line: int, **values: object) -> FieldsError:
    """Return what is to be said of one line."""
    return FieldsError({FIELD: (text, {"line": line, **values})})


def _why(typed: str) -> str:
    local = typed.rpartition("@")[0]
    return "plan.err_extra" if local.isascii() or " " in typed else "plan.err_extra_signs"


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip().rstrip(",;").strip()
        if stripped:
            yield number, stripped
