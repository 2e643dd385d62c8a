"""The one source of the present instant."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""What a process asks for the instant; use cases and pure code get the instant itself."""


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)
