"""Partners: the organisations that are represented."""

from piccolo.columns import UUID, Date, Integer, Text, Timestamptz
from piccolo.columns.defaults import UUID4
from piccolo.table import Table


class Organisation(Table, tablename="organisation"):
    """A partner of the alliance."""

    id = UUID(primary_key=True, default=UUID4())
    external_ref = Text(default=None, null=True)
    name = Text()
    sort_key = Text()
    short_name = Text()
    kind = Text()
    town = Text()
    phone = Text()
    website = Text()
    revision = Integer(default=1)
    created_at = Timestamptz()
    ended_on = Date(default=None, null=True)
