"""Who works in the office, and which groups they may see and change."""

from dataclasses import dataclass
from uuid import UUID

from service.domain.words import Role


@dataclass(frozen=True, slots=True)
class Account:
    """Somebody of the office, with what they may do."""

    id: UUID
    email: str
    full_name: str
    role: Role
    locale: str
    group_ids: frozenset[UUID]

    @property
    def is_office(self) -> bool:
        """Tell whether this account sees all groups and all personal data."""
        return self.role in {Role.COORDINATOR, Role.ADMIN}

    def may_see_group(self, group_id: UUID) -> bool:
        """Tell whether pages of the group open: leads see their own, all others see every one."""
        return self.role is not Role.LEAD or group_id in self.group_ids

    def may_change_group(self, group_id: UUID) -> bool:
        """Tell whether the group's meetings may be changed: by the office and its own lead."""
        return self.is_office or (self.role is Role.LEAD and group_id in self.group_ids)
