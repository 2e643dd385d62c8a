"""Columns of a batch as array literals: the driver's own way looks at every value three times.

A statement takes each as text and casts it, `$1::text::uuid[]`; what does not fit is a `DataError`
of the server.
"""

import json
from collections.abc import Iterable
from datetime import datetime


def write(values: Iterable[object]) -> str:
    """Write one array literal of None, text, bytes, instants, numbers, UUIDs and JSON objects."""
    return "{" + ",".join([_write(value) for value in values]) + "}"


def _write(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return _quote(value)
    if isinstance(value, dict):
        return _quote(json.dumps(value))
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    if isinstance(value, datetime):
        return f'"{value.isoformat()}"'
    return str(value)


def _quote(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
