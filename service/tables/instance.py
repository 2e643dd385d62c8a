"""The one row that says whose instance this is, and its legal texts."""

from piccolo.columns import UUID, Boolean, SmallInt, Text, Timestamptz
from piccolo.columns.defaults import UUID4
from piccolo.table import Table


class Instance(Table, tablename="instance"):
    """Whose instance this is; one row."""

    id = SmallInt(primary_key=True, default=1)
    name = Text()
    short_name = Text()
    aim = Text()
    office_name = Text()
    street = Text()
    postcode = Text()
    town = Text()
    email = Text()
    phone = Text()
    time_zone = Text(default="Europe/Berlin")
    holiday_country = Text(default="DE")
    holiday_subdivision = Text(default="TH")
    calendar_uid = UUID(default=UUID4())
    is_demo = Boolean(default=False)
    created_at = Timestamptz()


class LegalText(Table, tablename="legal_text"):
    """A page that the law asks for; the key is kind and locale."""

    kind = Text(primary_key=True)
    locale = Text()
    body = Text()
    updated_at = Timestamptz()
