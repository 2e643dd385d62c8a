"""What an import would do, a line for each row of the list: the vocabulary of the dry run."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from types import MappingProxyType
from typing import Any
from uuid import UUID


class Kind(StrEnum):
    """What a list holds."""

    MEMBERS = "members"
    PARTNERS = "partners"
    MEETINGS = "meetings"


class Verdict(StrEnum):
    """What becomes of one line."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    UNCERTAIN = "uncertain"
    ERROR = "error"
    MISSING = "missing"


class Decision(StrEnum):
    """What somebody said about an uncertain line: the same entry, another one, or nothing yet."""

    MATCH = "match"
    NEW = "new"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field before and after, as texts; "" is nothing."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Note:
    """A sentence by its text id, with the values it needs."""

    text: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of the list, or, under number 0, an entry that the list does not name.

    `row` is what was read, `known` what the database has; what they are depends on the list.
    """

    number: int
    verdict: Verdict
    label: str
    changes: tuple[FieldChange, ...] = ()
    notes: tuple[Note, ...] = ()
    errors: tuple[Note, ...] = ()
    row: Any = None
    known: Any = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole dry run, in the order of the list; what is missing stands at the end."""

    kind: Kind
    lines: tuple[Line, ...]

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """Return how many lines there are of each verdict, zero included."""
        counted = Counter(line.verdict for line in self.lines)
        return MappingProxyType({verdict: counted[verdict] for verdict in Verdict})

    @property
    def fingerprint(self) -> str:
        """Return a mark that differs whenever a line would read differently."""
        shown = [
            (line.number, line.verdict, line.label, line.changes, _plain(line))
            for line in self.lines
        ]
        return sha256(repr(shown).encode()).hexdigest()

    def of(self, verdict: Verdict) -> list[Line]:
        """Return the lines of one verdict."""
        return [line for line in self.lines if line.verdict is verdict]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What of a plan is to be done: all certain rows unless told otherwise.

    `left_out` are row numbers, `decisions` answer uncertain rows. Of what the list does not name,
    `ended` are the ids to end, or all with `ends_missing`. `seen` is the fingerprint of the plan
    that was looked at, None where nobody looked. `with_letters` writes to who joins or leaves.
    """

    left_out: Collection[int] = frozenset()
    decisions: Mapping[int, Decision] = field(default_factory=dict)
    ended: Collection[UUID] = frozenset()
    ends_missing: bool = False
    seen: str | None = None
    with_letters: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What an import did, in numbers, the plan that it followed, and the notices it put down."""

    plan: Plan
    added: int = 0
    changed: int = 0
    ended: int = 0
    skipped: int = 0
    notice_ids: Sequence[UUID] = ()


def _plain(line: Line) -> list[tuple[str, tuple[tuple[str, str], ...]]]:
    notes = (*line.notes, *line.errors)
    return [(n.text, tuple((k, str(v)) for k, v in sorted(n.values.items()))) for n in notes]
