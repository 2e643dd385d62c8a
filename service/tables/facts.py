"""A meeting's row as the facts that the rules look at."""

from collections.abc import Mapping
from typing import Any

from service.domain.changes import MeetingFacts
from service.domain.words import Mode, Precision, State, Visibility

_AS_THEY_ARE = (
    "title",
    "starts_local",
    "ends_local",
    "place_name",
    "room",
    "street",
    "town",
    "place_access",
    "online_url",
    "dial_in",
    "capacity",
    "answer_by_local",
    "description",
    "agenda",
)
COLUMNS = ", ".join(
    f"m.{name}"
    for name in (*_AS_THEY_ARE, "state", "date_precision", "time_zone", "mode", "visibility")
)
"""The columns that `read` needs, of a meeting that the statement calls `m`."""


def read(row: Mapping[str, Any]) -> MeetingFacts:
    """Return the facts of a row that has (at least) `COLUMNS`."""
    return MeetingFacts(
        state=State(row["state"]),
        precision=Precision(row["date_precision"]),
        zone=row["time_zone"],
        mode=Mode(row["mode"]),
        visibility=Visibility(row["visibility"]),
        **{name: row[name] for name in _AS_THEY_ARE},
    )
