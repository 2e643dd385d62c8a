"""Who works in the office: accounts, their sessions, one-time tokens, rate buckets."""

from piccolo.columns import UUID, Boolean, Bytea, ForeignKey, Real, SmallInt, Text, Timestamptz
from piccolo.columns.defaults import UUID4
from piccolo.table import Table

from service.tables.groups import WorkingGroup
from service.tables.people import Person


class Account(Table, tablename="account"):
    """Somebody who works in the office."""

    id = UUID(primary_key=True, default=UUID4())
    email = Text()
    email_normal = Text()
    full_name = Text()
    role = Text()
    locale = Text(default="de")
    created_at = Timestamptz()
    last_sign_in_at = Timestamptz(default=None, null=True)
    disabled_at = Timestamptz(default=None, null=True)
    summaries = Boolean(default=True)


class AccountGroup(Table, tablename="account_group"):
    """A group that a lead may see and change; the key is account and group."""

    account_id = ForeignKey(Account, primary_key=True, null=False, default=None)
    group_id = ForeignKey(WorkingGroup, null=False, default=None)


class StaffSession(Table, tablename="staff_session"):
    """A signed-in browser; the cookie's secret is kept as hash."""

    secret_hash = Bytea(primary_key=True, default=None)
    account_id = ForeignKey(Account, null=False, default=None)
    form_key = Bytea(default=None)
    created_at = Timestamptz(default=None)
    seen_at = Timestamptz(default=None)
    ends_at = Timestamptz(default=None)
    revoked_at = Timestamptz(default=None, null=True)


class OneTimeToken(Table, tablename="one_time_token"):
    """A link that works once."""

    id = UUID(primary_key=True, default=UUID4())
    purpose = Text()
    secret_hash = Bytea(default=None)
    code_hash = Bytea(default=None, null=True)
    browser_hash = Bytea(default=None, null=True)
    account_id = ForeignKey(Account, default=None)
    person_id = ForeignKey(Person, default=None)
    tries = SmallInt(default=0)
    created_at = Timestamptz(default=None)
    expires_at = Timestamptz(default=None)
    used_at = Timestamptz(default=None, null=True)
    replaced_at = Timestamptz(default=None, null=True)


class RateBucket(Table, tablename="rate_bucket"):
    """How many tries are left for one kind of act."""

    key = Text(primary_key=True)
    tokens = Real(default=None)
    updated_at = Timestamptz(default=None)
