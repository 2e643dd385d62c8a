"""Working groups, the alliance itself among them."""

from datetime import time

from piccolo.columns import (
    UUID,
    Boolean,
    Date,
    ForeignKey,
    Integer,
    SmallInt,
    Text,
    Time,
    Timestamptz,
)
from piccolo.columns.defaults import UUID4
from piccolo.table import Table


class WorkingGroup(Table, tablename="working_group"):
    """A group that meets; `next_number` is None where sessions carry no number."""

    id = UUID(primary_key=True, default=UUID4())
    slug = Text()
    heading = Text()
    name = Text()
    short_name = Text()
    title_pattern = Text()
    next_number = Integer(default=None, null=True)
    aim = Text()
    is_everybody = Boolean(default=False)
    position = SmallInt(default=0)
    colour = Text()
    invite_weeks_before = SmallInt(default=6)
    answer_working_days_before = SmallInt(default=5)
    answer_by_time = Time(default=time(12, 0))
    revision = Integer(default=1)
    created_at = Timestamptz()
    ended_on = Date(default=None, null=True)


class PilotProject(Table, tablename="pilot_project"):
    """A project in a town that sessions work on."""

    id = UUID(primary_key=True, default=UUID4())
    group_id = ForeignKey(WorkingGroup, default=None)
    name = Text()
    town = Text()
    note = Text()
