"""Calendar feeds, one row each with its own revision."""

from piccolo.columns import JSONB, UUID, BigInt, Date, ForeignKey, Integer, Text, Timestamptz
from piccolo.columns.defaults import UUID4
from piccolo.table import Table

from service.tables.accounts import Account
from service.tables.groups import WorkingGroup
from service.tables.people import Person


class Feed(Table, tablename="feed"):
    """One calendar address."""

    id = UUID(primary_key=True, default=UUID4())
    kind = Text()
    group_id = ForeignKey(WorkingGroup, default=None)
    person_id = ForeignKey(Person, default=None)
    account_id = ForeignKey(Account, default=None)
    handle = UUID(default=UUID4())
    epoch = Integer(default=1)
    profile = JSONB(default="{}")
    revision = BigInt(default=1)
    changed_at = Timestamptz()
    revoked_at = Timestamptz(default=None, null=True)
    last_fetch_on = Date(default=None, null=True)
    client_family = Text()
    fetched_state_at = Timestamptz(default=None, null=True)
    created_at = Timestamptz()
