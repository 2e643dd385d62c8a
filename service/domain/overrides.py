"""What the office said about answers when it changed a session: they hold, or they are asked for.

The table of `domain.changes` decides by itself; a word of the office is kept beside the session,
never with the answers. So it is still known when a further change comes, and when one goes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.domain import changes
from service.domain.changes import Stand
from service.domain.words import Mode, Verdict

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a session stood, as far as answers go by it; wall time."""

    starts_local: datetime | None
    mode: Mode
    town: str


@dataclass(frozen=True, slots=True)
class Kept:
    """Answers that were given for the one stand hold for the other, too."""

    given: Place
    stands: Place


@dataclass(frozen=True, slots=True)
class Overrides:
    """All that the office said of one session; answers from before `asked_at` do not hold."""

    kept: tuple[Kept, ...] = ()
    asked_at: datetime | None = None

    def carry(self, given: Stand, meeting: Stand) -> bool:
        """Tell whether an answer to the one counts for the other because the office said so."""
        return any(
            changes.same_place_and_time(given, each.given)
            and changes.same_place_and_time(each.stands, meeting)
            for each in self.kept
        )

    def are_newer(self, answered_at: datetime | None) -> bool:
        """Tell whether everybody was asked again after an answer of this instant."""
        return self.asked_at is not None and (answered_at is None or answered_at < self.asked_at)


NONE = Overrides()


def place(stand: Stand) -> Place:
    """Return where and when something stands, without the rest of it."""
    return Place(stand.starts_local, stand.mode, stand.town)


def add(
    known: Overrides, before: Place, after: Place, verdict: Verdict | None, now: datetime
) -> Overrides:
    """Return what holds after a change with this verdict; None stands for the table's own.

    What counted for the stand before counts for the new one when answers are kept. Where the table
    asks again, a former word about these two stands ends.
    """
    if verdict is Verdict.ASK:
        return Overrides((), now)
    if verdict is Verdict.KEEP:
        earlier = (one.given for one in known.kept if _is_same(one.stands, before))
        new = (Kept(given, after) for given in (before, *earlier))
        return Overrides(tuple(dict.fromkeys((*known.kept, *new))), known.asked_at)
    if _is_same(before, after):
        return known
    kept = (each for each in known.kept if not _is_about(each, before, after))
    return Overrides(tuple(kept), known.asked_at)


def verdict_since(known: Overrides, before: Place, after: Place, since: datetime) -> Verdict | None:
    """Return what the office said of several changes together, None where the table decides."""
    if known.asked_at is not None and known.asked_at >= since:
        return Verdict.ASK
    if not _is_same(before, after) and known.carry(before, after):
        return Verdict.KEEP
    return None


def to_json(known: Overrides) -> list[dict[str, Any]]:
    """Write the kept stands as plain values, as the session's row holds them."""
    return [_written(each.given, "from") | _written(each.stands, "to") for each in known.kept]


def read(row: Row) -> Overrides:
    """Read the overrides of a row that has `kept_answers` and `asked_again_at`."""
    return _read(row["kept_answers"], row["asked_again_at"])


def _read(kept: Sequence[Row], asked_at: datetime | None) -> Overrides:
    pairs = (Kept(_place_of(each, "from"), _place_of(each, "to")) for each in kept)
    return Overrides(tuple(pairs), asked_at)


def _written(stand: Place, side: str) -> dict[str, Any]:
    starts = stand.starts_local
    return {
        f"{side}_starts": None if starts is None else starts.isoformat(),
        f"{side}_mode": stand.mode.value,
        f"{side}_town": stand.town,
    }


def _place_of(values: Row, side: str) -> Place:
    starts = values[f"{side}_starts"]
    return Place(
        None if starts is None else datetime.fromisoformat(starts),
        Mode(values[f"{side}_mode"]),
        values[f"{side}_town"],
    )


def _is_same(one: Place, other: Place) -> bool:
    return changes.same_place_and_time(one, other)


def _is_about(each: Kept, before: Place, after: Place) -> bool:
    return _is_same(each.given, before) and _is_same(each.stands, after)
