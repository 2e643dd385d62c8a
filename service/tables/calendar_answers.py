"""Answers of calendar programs, whatever became of them, and whether we hear any."""

from piccolo.columns import (
    JSONB,
    UUID,
    BigInt,
    BigSerial,
    Boolean,
    Bytea,
    ForeignKey,
    Integer,
    SmallInt,
    Text,
    Timestamptz,
)
from piccolo.table import Table

from service.tables.invitations import Invitation
from service.tables.meetings import Meeting


class Ear(Table, tablename="ear"):
    """The last letter to ourselves; one row."""

    id = SmallInt(primary_key=True, default=1)
    way = Text()
    letter_id = UUID(default=None, null=True)
    posted_at = Timestamptz(default=None, null=True)
    heard_at = Timestamptz(default=None, null=True)


class CalendarAnswer(Table, tablename="calendar_answer"):
    """One answer that a calendar program sent, once per message and part."""

    id = BigSerial(primary_key=True)
    message_sha256 = Bytea(default=None)
    part_sha256 = Bytea(default=None)
    event_id = BigInt(default=None, null=True)
    received_at = Timestamptz(default=None)
    outcome = Text(default=None)
    needs_look = Boolean(default=False)
    trust = SmallInt(default=None)
    method = Text()
    meeting_id = ForeignKey(Meeting, default=None)
    invitation_id = ForeignKey(Invitation, default=None)
    attendee = Text()
    attendee_name = Text()
    sender = Text()
    sent_by = Text()
    partstat = Text()
    sequence = Integer()
    stamped_at = Timestamptz(default=None, null=True)
    comment = Text()
    details = JSONB()
    settled_at = Timestamptz(default=None, null=True)
    settled_by = UUID(default=None, null=True)
    settled_as = Text(default=None, null=True)
