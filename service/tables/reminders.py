"""Rules of reminders, and the slots they make for a meeting."""

from piccolo.columns import (
    UUID,
    Array,
    Boolean,
    ForeignKey,
    Integer,
    SmallInt,
    Text,
    Time,
    Timestamptz,
)
from piccolo.columns.defaults import UUID4
from piccolo.table import Table

from service.tables.groups import WorkingGroup
from service.tables.meetings import Meeting
from service.tables.people import Person


class ReminderRule(Table, tablename="reminder_rule"):
    """When whom is reminded: of everybody's, one group's or one meeting's sessions.

    A choice counts nowhere by itself: it is a time that people may choose for themselves.
    """

    id = UUID(primary_key=True, default=UUID4())
    group_id = ForeignKey(WorkingGroup, default=None)
    meeting_id = ForeignKey(Meeting, default=None)
    kind = Text()
    audience = Array(Text())
    anchor = Text(default="start")
    days_before = SmallInt(default=None, null=True)
    at_local_time = Time(default=None, null=True)
    minutes_before = Integer(default=None, null=True)
    only_online = Boolean(default=False)
    min_days_invited = SmallInt(default=0)
    is_enabled = Boolean(default=True)
    copied_from: ForeignKey["ReminderRule"] = ForeignKey("self", default=None)
    revision = Integer(default=1)
    is_choice = Boolean(default=False)


class ReminderSlot(Table, tablename="reminder_slot"):
    """A rule's due time for one meeting and one revision of its times."""

    id = UUID(primary_key=True, default=UUID4())
    meeting_id = ForeignKey(Meeting, null=False, default=None)
    rule_id = ForeignKey(ReminderRule, null=False, default=None)
    person_id = ForeignKey(Person, default=None)
    time_rev = Integer(default=None)
    due_at = Timestamptz(default=None)
    not_after = Timestamptz(default=None)
    state = Text(default="planned")
    reason = Text(default=None, null=True)
    letters = Integer(default=None, null=True)
    computed_at = Timestamptz()
