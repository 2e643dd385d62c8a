"""Lists of days on which nobody meets, as the office uploaded them."""

from piccolo.columns import UUID, Date, ForeignKey, Integer, Text, Timestamptz
from piccolo.columns.defaults import UUID4
from piccolo.table import Table


class DayList(Table, tablename="day_list"):
    """One list: what its days do to a proposed date, and until when it speaks."""

    id = UUID(primary_key=True, default=UUID4())
    name = Text()
    treatment = Text(default="note")
    covered_until_on = Date(default=None)
    file_name = Text(default="")
    uploaded_at = Timestamptz(default=None)
    uploaded_by = Text(default="")
    revision = Integer(default=1)


class DayListSpan(Table, tablename="day_list_span"):
    """Whole days of a list; the key is all of it."""

    list_id = ForeignKey(DayList, null=False, primary_key=True)
    first_on = Date(default=None)
    last_on = Date(default=None)
    name = Text(default="")
