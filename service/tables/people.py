"""Persons, where they belong from when to when, and their former addresses."""

from piccolo.columns import (
    UUID,
    Array,
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

from service.tables.groups import WorkingGroup
from service.tables.organisations import Organisation


class Person(Table, tablename="person"):
    """Somebody who is invited; `email` is None where none is known."""

    id = UUID(primary_key=True, default=UUID4())
    external_ref = Text(default=None, null=True)
    full_name = Text()
    sort_key = Text()
    email = Text(default=None, null=True)
    email_normal = Text(default=None, null=True)
    phone = Text()
    locale = Text(default="de")
    copy_email = Text(default=None, null=True)
    internal_note = Text()
    page_handle = UUID(default=UUID4())
    page_epoch = Integer(default=1)
    mail_handle = UUID(default=UUID4())
    mail_epoch = Integer(default=1)
    first_letter_on = Date(default=None, null=True)
    revision = Integer(default=1)
    created_at = Timestamptz()
    ended_on = Date(default=None, null=True)
    anonymised_at = Timestamptz(default=None, null=True)


class Preference(Table, tablename="preference"):
    """Which letters a person wants; without a row what everybody starts with."""

    person_id = ForeignKey(Person, primary_key=True, null=False, default=None)
    reminders = Boolean(default=True)
    nudges = Boolean(default=True)
    papers = Boolean(default=True)
    digest = Boolean(default=False)
    digest_only = Boolean(default=False)
    paused_until = Date(default=None, null=True)
    changed_at = Timestamptz()
    has_own_times = Boolean(default=False)
    own_days = Array(SmallInt())
    own_at = Time()
    own_minutes = Array(SmallInt())
    text_only = Boolean(default=False)
    no_calendar = Boolean(default=False)


class FormerAddress(Table, tablename="former_address"):
    """An address that a person had; the key is person and address."""

    person_id = ForeignKey(Person, primary_key=True, null=False, default=None)
    email_normal = Text()
    until_at = Timestamptz()


class Affiliation(Table, tablename="affiliation"):
    """Belonging to a partner, with a role, from and to."""

    id = UUID(primary_key=True, default=UUID4())
    person_id = ForeignKey(Person, null=False, default=None)
    organisation_id = ForeignKey(Organisation, null=False, default=None)
    role_title = Text()
    from_on = Date(default=None)
    to_on = Date(default=None, null=True)


class Membership(Table, tablename="membership"):
    """Belonging to a group, from and to."""

    id = UUID(primary_key=True, default=UUID4())
    person_id = ForeignKey(Person, null=False, default=None)
    group_id = ForeignKey(WorkingGroup, null=False, default=None)
    role = Text(default="member")
    from_on = Date(default=None)
    to_on = Date(default=None, null=True)
