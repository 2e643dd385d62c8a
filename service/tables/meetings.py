"""Meetings with their number in each group, and the counter of seats."""

from piccolo.columns import (
    JSONB,
    UUID,
    Boolean,
    Date,
    ForeignKey,
    Integer,
    SmallInt,
    Text,
    Timestamp,
    Timestamptz,
)
from piccolo.columns.defaults import UUID4
from piccolo.table import Table

from service.tables.groups import WorkingGroup
from service.tables.organisations import Organisation
from service.tables.people import Person


class Meeting(Table, tablename="meeting"):
    """One dated session; wall time and zone are the truth, instants are derived.

    A date known by day, week or month starts at midnight of its first day and ends at midnight
    after its last one; a postponed meeting has no times and keeps them in `previous_*`.
    """

    id = UUID(primary_key=True, default=None)
    uid = UUID(default=UUID4())
    slug = Text(default=None, null=True)
    state = Text(default="draft")
    date_precision = Text(default="time")
    title = Text()
    is_numbered = Boolean(default=True)
    starts_local = Timestamp(default=None, null=True)
    ends_local = Timestamp(default=None, null=True)
    time_zone = Text(default="Europe/Berlin")
    starts_at = Timestamptz(default=None, null=True)
    ends_at = Timestamptz(default=None, null=True)
    mode = Text(default="on_site")
    place_name = Text()
    room = Text()
    street = Text()
    town = Text()
    place_access = Text()
    online_url = Text()
    dial_in = Text()
    capacity = Integer(default=None, null=True)
    answer_by = Timestamptz(default=None, null=True)
    answer_by_local = Timestamp(default=None, null=True)
    visibility = Text(default="public")
    description = Text()
    agenda = Text()
    chair = Text()
    organiser = Text()
    outward_url = Text()
    audience = Text(default="group")
    extra_emails = Text()
    seats_per_partner = Integer(default=None, null=True)
    cancel_reason = Text()
    number_kept = Boolean(default=True)
    cancelled_from = Text(default=None, null=True)
    previous_starts_local = Timestamp(default=None, null=True)
    previous_ends_local = Timestamp(default=None, null=True)
    kept_answers = JSONB(default="[]")
    asked_again_at = Timestamptz(default=None, null=True)
    revision = Integer(default=1)
    sequence = Integer(default=0)
    time_rev = Integer(default=0)
    changed_at = Timestamptz()
    stamped_at = Timestamptz()
    created_at = Timestamptz()
    created_by = UUID(default=None, null=True)
    saved_by = Text()
    saved_at = Timestamptz()
    published_at = Timestamptz(default=None, null=True)
    invited_at = Timestamptz(default=None, null=True)
    held_at = Timestamptz(default=None, null=True)
    sheet_saved_at = Timestamptz(default=None, null=True)
    rough_on = Date(default=None, null=True)
    forgotten = SmallInt(default=0)
    forgotten_ends_at = Timestamptz(default=None, null=True)


class MeetingGroup(Table, tablename="meeting_group"):
    """A meeting's place and number in one of its groups; the key is meeting and group."""

    meeting_id = ForeignKey(Meeting, primary_key=True, null=False, default=None)
    group_id = ForeignKey(WorkingGroup, null=False, default=None)
    number = Integer(default=None, null=True)
    position = SmallInt(default=0)


class MeetingAudience(Table, tablename="meeting_audience"):
    """Somebody whom a meeting asks by name: a chosen member, or a guest beside the members."""

    meeting_id = ForeignKey(Meeting, primary_key=True, null=False, default=None)
    person_id = ForeignKey(Person, null=False, default=None)


class MeetingSeats(Table, tablename="meeting_seats"):
    """How many seats on site are taken; by partner where the meeting limits them so."""

    meeting_id = ForeignKey(Meeting, primary_key=True, null=False, default=None)
    taken = Integer(default=0)
    by_partner = JSONB(default="{}")


class KeptCount(Table, tablename="kept_count"):
    """How many gave an answer, after the answers themselves were forgotten."""

    meeting_id = ForeignKey(Meeting, primary_key=True, null=False, default=None)
    bucket = Text()
    persons = Integer(default=None)
    partners = Integer(default=None)


class KeptPartner(Table, tablename="kept_partner"):
    """Whether somebody came for a partner, after the answers themselves were forgotten."""

    meeting_id = ForeignKey(Meeting, primary_key=True, null=False, default=None)
    organisation_id = ForeignKey(Organisation, null=False, default=None)
    was_represented = Boolean(default=None)


class Document(Table, tablename="document"):
    """A file that belongs to a meeting or to the alliance."""

    id = UUID(primary_key=True, default=UUID4())
    meeting_id = ForeignKey(Meeting, default=None)
    title = Text()
    kind = Text(default="other")
    media_type = Text()
    size_text = Text()
    accessibility = Text(default="unknown")
    locale = Text(default="de")
    url = Text()
    published_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz()
