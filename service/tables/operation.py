"""How the clock's jobs and the workers are doing."""

from piccolo.columns import Text, Timestamptz
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
