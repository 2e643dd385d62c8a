"""Who may change what: use cases ask, and refuse a foreign object exactly as an unknown one."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from service.domain.errors import NotFoundError


class Authority(Protocol):
    """What an account may do, group by group."""

    @property
    def is_office(self) -> bool:
        """Tell whether all groups and all people may be seen."""

    def may_see_group(self, group_id: UUID) -> bool:
        """Tell whether the group's own pages open."""

    def may_change_group(self, group_id: UUID) -> bool:
        """Tell whether the group's meetings may be changed."""


@dataclass(frozen=True, slots=True)
class Everything:
    """The authority of the clock and of commands on the server."""

    @property
    def is_office(self) -> bool:
        """Say yes."""
        return True

    def may_see_group(self, group_id: UUID) -> bool:  # noqa: ARG002
        """Say yes."""
        return True

    def may_change_group(self, group_id: UUID) -> bool:  # noqa: ARG002
        """Say yes."""
        return True


EVERYTHING = Everything()


def require_change(authority: Authority, group_ids: Iterable[UUID]) -> None:
    """Raise `NotFoundError` unless all groups of a meeting may be changed."""
    if not all(authority.may_change_group(group_id) for group_id in group_ids):
        raise NotFoundError
