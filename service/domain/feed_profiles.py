"""What a subscribed calendar shows: the choices of its reader, under one address."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self, TypeVar
from uuid import UUID

LONGEST_ALARM_MINUTES = 4 * 7 * 24 * 60
LOCALES = ("de", "en")
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
Choice = TypeVar("Choice", bound=StrEnum)


class Extent(StrEnum):
    """Which of the sessions that a person may see stand in the own calendar."""

    ALL = "all"
    INVITED = "invited"
    ANSWERED = "answered"


class Fallen(StrEnum):
    """How sessions that are cancelled or postponed stand in a calendar."""

    PREFIXED = "prefixed"
    PLAIN = "plain"
    LEFT_OUT = "left_out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """The choices of one calendar.

    `group_ids` None means the reader's own groups, for public calendars all of them. An empty
    `locale` is the reader's own language. `alarm_minutes` None means no alarm.
    """

    group_ids: tuple[UUID, ...] | None = None
    extent: Extent = Extent.ALL
    leaves_out_mailed: bool = False
    shows_rough: bool = False
    shows_tentative: bool = True
    fallen: Fallen = Fallen.PREFIXED
    shows_answer: bool = True
    shows_declined: bool = False
    alarm_minutes: int | None = None
    locale: str = ""
    shows_drafts: bool = True
    shows_deadlines: bool = True

    @classmethod
    def read(cls, kept: Mapping[str, Any]) -> Self:
        """Read what a feed's row keeps; what is missing or odd is as everybody starts with it."""
        usual = cls()
        flags = {name: _flag(kept, name, getattr(usual, name)) for name in _FLAGS}
        minutes = kept.get("alarm_minutes")
        is_alarm = isinstance(minutes, int) and 0 <= minutes <= LONGEST_ALARM_MINUTES
        locale = kept.get("locale")
        return cls(
            **flags,
            group_ids=_group_ids(kept.get("group_ids")),
            extent=_known(Extent, kept.get("extent"), usual.extent),
            fallen=_known(Fallen, kept.get("fallen"), usual.fallen),
            alarm_minutes=minutes if is_alarm else None,
            locale=locale if locale in LOCALES else "",
        )

    def kept(self) -> dict[str, Any]:
        """Return the choices as plain values for the feed's row."""
        ids = None if self.group_ids is None else sorted(map(str, self.group_ids))
        flags = {name: getattr(self, name) for name in _FLAGS}
        return {
            **flags,
            "group_ids": ids,
            "extent": self.extent.value,
            "fallen": self.fallen.value,
            "alarm_minutes": self.alarm_minutes,
            "locale": self.locale,
        }


_FLAGS = (
    "leaves_out_mailed",
    "shows_rough",
    "shows_tentative",
    "shows_answer",
    "shows_declined",
    "shows_drafts",
    "shows_deadlines",
)


def _flag(kept: Mapping[str, Any], name: str, usual: bool) -> bool:  # noqa: FBT001
    value = kept.get(name)
    return value if isinstance(value, bool) else usual


def _known(kind: type[Choice], value: object, usual: Choice) -> Choice:
    return next((each for each in kind if each.value == value), usual)


def _group_ids(value: object) -> tuple[UUID, ...] | None:
    if not isinstance(value, list):
        return None
    return tuple(UUID(each) for each in value if isinstance(each, str) and _ID.fullmatch(each))
