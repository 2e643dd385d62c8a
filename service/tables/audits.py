"""Who did what and when."""

from piccolo.columns import JSONB, UUID, BigSerial, Text, Timestamptz
from piccolo.table import Table


class Audit(Table, tablename="audit"):
    """One act."""

    id = BigSerial(primary_key=True)
    happened_at = Timestamptz()
    actor_kind = Text()
    actor_id = UUID(default=None, null=True)
    action = Text()
    object_kind = Text()
    object_id = UUID(default=None, null=True)
    details = JSONB(default="{}")
