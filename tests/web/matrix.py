"""Who gets what at every route: the table that the authorisation test asserts.

Each part keeps its rows in `tests/web/matrix_<part>.py` as `ROWS: dict[tuple[str, str], Row]`,
keyed by method and path template as declared on the handler. A route without a row fails, a row
without a route too.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from uuid import UUID

from service.services import Services

IDENTITIES = (
    "anonymous",
    "reader",
    "lead",
    "other_lead",
    "coordinator",
    "admin",
    "disabled",
    "expired",
)


@dataclass(frozen=True)
class World:
    """What a row's objects may hang on: the lead's group, and one that is not theirs."""

    services: Services
    own_group: UUID
    other_group: UUID


Make = Callable[[World], Awaitable[Mapping[str, str]]]


@dataclass(frozen=True)
class Row:
    """Expected status by identity; `make` builds the objects and returns the path's parameters."""

    expected: Mapping[str, int]
    make: Make | None = None
    data: Mapping[str, str] = field(default_factory=dict)


def everybody(
    status: int, *, make: Make | None = None, data: Mapping[str, str] | None = None
) -> Row:
    """Expect the same for all: routes of Policy.PUBLIC, TOKEN and HEALTH."""
    return Row(dict.fromkeys(IDENTITIES, status), make, data or {})


def signed_in(
    *,
    reader: int,
    lead: int,
    other_lead: int,
    coordinator: int,
    admin: int | None = None,
    make: Make | None = None,
    data: Mapping[str, str] | None = None,
    posts: bool = False,
) -> Row:
    """Expect strangers at the sign-in page, and their forms refused."""
    outside = 403 if posts else 303
    expected = {
        "anonymous": outside,
        "disabled": outside,
        "expired": outside,
        "reader": reader,
        "lead": lead,
        "other_lead": other_lead,
        "coordinator": coordinator,
        "admin": coordinator if admin is None else admin,
    }
    return Row(expected, make, data or {})


def collect() -> dict[tuple[str, str], Row]:
    """Return the rows of all parts; one route in two files is an error."""
    rows: dict[tuple[str, str], Row] = {}
    for file in sorted(Path(__file__).parent.glob("matrix_*.py")):
        own: dict[tuple[str, str], Row] = import_module(f"tests.web.{file.stem}").ROWS
        assert not rows.keys() & own.keys()
        rows |= own
    return rows
