"""Notices: what invited people are to be told about a meeting, and when."""

from piccolo.columns import JSONB, UUID, Array, Boolean, ForeignKey, Integer, Text, Timestamptz
from piccolo.columns.defaults import UUID4
from piccolo.table import Table

from service.tables.meetings import Meeting


class Notice(Table, tablename="notice"):
    """One thing that invited people are told; `person_ids` None means everybody concerned."""

    id = UUID(primary_key=True, default=UUID4())
    meeting_id = ForeignKey(Meeting, null=False, default=None)
    kind = Text()
    state = Text(default="pending")
    due_at = Timestamptz(default=None)
    is_timed = Boolean(default=False)
    from_revision = Integer(default=None)
    to_revision = Integer(default=None)
    before = JSONB(default="{}")
    person_ids = Array(UUID(), null=True, default=None)
    with_decliners = Boolean(default=False)
    asks_again = Boolean(default=False)
    message = Text()
    letters = Integer(default=None, null=True)
    created_by = UUID(default=None, null=True)
    created_at = Timestamptz()
    finished_at = Timestamptz(default=None, null=True)
    batch_id = UUID(default=None, null=True)
    batch_kind = Text(default=None, null=True)
