"""How the clock's jobs and the workers are doing, and what somebody was told of."""

from piccolo.columns import UUID, Array, Integer, Text, Timestamptz
from piccolo.table import Table


class JobHealth(Table, tablename="job_health"):
    """When a job ran last."""

    job = Text(primary_key=True)
    last_start_at = Timestamptz(default=None, null=True)
    last_ok_at = Timestamptz(default=None, null=True)
    last_error_at = Timestamptz(default=None, null=True)
    last_error = Text(default=None, null=True)


class Worker(Table, tablename="worker"):
    """A running process."""

    id = Text(primary_key=True)
    role = Text()
    started_at = Timestamptz(default=None)
    heartbeat_at = Timestamptz(default=None)


class Alarm(Table, tablename="alarm"):
    """Since when something is wrong, one row a reason, and when somebody was told by mail."""

    reason = Text(primary_key=True)
    began_at = Timestamptz(default=None)
    seen_at = Timestamptz(default=None)
    ended_at = Timestamptz(default=None, null=True)
    told_at = Timestamptz(default=None, null=True)
    letters = Integer()


class Restoration(Table, tablename="restoration"):
    """When a backup was restored, and the notices and slots that still have to become letters."""

    restored_at = Timestamptz(primary_key=True, default=None)
    notice_ids = Array(UUID(), default=list)
    slot_ids = Array(UUID(), default=list)
