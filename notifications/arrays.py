"""Columns of a batch as array literals: the driver's own way looks at every value three times.

A statement takes each as text and casts it, `$1::text::uuid[]`; what does not fit is a `DataError`
of the server.
"""

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any


def write(values: Iterable[object]) -> str:
    """Write one array literal of None, text, bytes, instants, numbers, UUIDs and JSON objects."""
    return "{" + ",".join([_WRITERS.get(type(value), _quote)(value) for value in values]) + "}"


def _quote(value: object) -> str:
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


# Whatever is not named here is quoted as it is printed: text, UUIDs, words of an enumeration.
_WRITERS: dict[type, Callable[[Any], str]] = {
    type(None): lambda _: "NULL",
    int: str,
    dict: lambda value: _quote(json.dumps(value)),
    bytes: lambda value: f'"\\\\x{value.hex()}"',
    datetime: lambda value: f'"{value.isoformat()}"',
}
