"""Back up the database into one file, and restore it without mailing anybody twice.

The file is a tar of a manifest and a `pg_dump -Fc`. The token key is not in it; the manifest holds
a fingerprint, so that a restore with another key is refused before all links die.
"""

import asyncio
import hashlib
import hmac
import io
import json
import os
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from service import app, clock, embedded, held_command, holding_back
from service.database import Database
from service.settings import Settings

MANIFEST = "manifest.json"
DUMP = "database.dump"
SCRIPT = "database.sql"
_NEWER_SETTING = b"SET transaction_timeout = 0;"

# The dump's own script begins and ends with ours, and all of it is one transaction: either nothing
# happened, or no worker and no calendar program ever sees the rows as they were.
_EMPTY = b"DROP SCHEMA public CASCADE;\nCREATE SCHEMA public;\n"
# After a restore nobody knows what left since the backup: nothing of it goes out by itself, nor
# what waited for the morning, for an address or for the legal texts when it was made. What
# may have fallen due since, a countdown that the office could end by hand included, is put aside
# here and becomes letters that are held (`holding_back`). What is due later stays as it is. What is
# named here and below is in every release's tables, but for the one that is made.
_QUARANTINE = """
UPDATE public.outbox SET state = 'held', reason = 'restored', lease_owner = NULL, lease_until = NULL
WHERE state IN ('queued', 'sending', 'uncertain', 'held');
CREATE TABLE IF NOT EXISTS public.restoration (
    restored_at timestamptz PRIMARY KEY,
    notice_ids uuid[] NOT NULL DEFAULT '{}',
    slot_ids uuid[] NOT NULL DEFAULT '{}'
);
WITH notices AS (
    UPDATE public.notice SET state = 'withdrawn', finished_at = now()
    WHERE state = 'pending'
        AND (due_at <= now() OR due_at <= created_at + interval '30 minutes')
    RETURNING id
), slots AS (
    UPDATE public.reminder_slot SET state = 'missed', reason = 'restored'
    WHERE state = 'planned' AND due_at <= now()
    RETURNING id
)
INSERT INTO public.restoration (restored_at, notice_ids, slot_ids)
SELECT now(), ARRAY(SELECT id FROM notices), ARRAY(SELECT id FROM slots);
UPDATE public.staff_session SET revoked_at = now() WHERE revoked_at IS NULL;
UPDATE public.one_time_token SET used_at = now() WHERE used_at IS NULL;
"""
# Calendar programs have seen what came after the backup: nothing of ours may look older to them. A
# program that counts the versions (RFC 5546 section 2.1.5) would pass over a move or a cancellation
# whose number it has seen already, and a process that went on beside the restore would keep a feed.
# How often either changed since is nowhere; that was less than once a minute, or once a second. By
# the time of the restore the next one from the same file is above all that came after this one.
_RENEW = """
UPDATE public.meeting SET
    sequence = greatest(sequence + 1, extract(epoch FROM now() - timestamptz '2020-01-01') / 60),
    changed_at = greatest(date_trunc('second', now()), changed_at + interval '1 second'),
    stamped_at = greatest(date_trunc('second', now()), stamped_at + interval '1 second');
UPDATE public.feed SET revision = greatest(revision + 1, extract(epoch FROM now())),
    changed_at = greatest(date_trunc('second', now()), changed_at + interval '1 second');
"""


class RestoreRefusedError(Exception):
    """A restore that would destroy data or break all links."""


def fingerprint(settings: Settings) -> str:
    """Name the current token key without telling anything about it."""
    digest = hmac.digest(settings.token_keys.current.secret, b"backup", hashlib.sha256)
    return f"{settings.token_keys.current.key_id}:{digest.hex()[:16]}"


def connection_environment(dsn: str) -> dict[str, str]:
    """Spell a database address as libpq's variables: a password never stands in a process list."""
    parts = urlsplit(dsn)
    query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    given = {
        "PGHOST": query.get("host") or parts.hostname or "",
        "PGPORT": query.get("port") or str(parts.port or ""),
        "PGUSER": unquote(parts.username or "") or query.get("user", ""),
        "PGPASSWORD": unquote(parts.password or ""),
        "PGDATABASE": unquote(parts.path.lstrip("/")) or query.get("dbname", ""),
        "PGSSLMODE": query.get("sslmode", ""),
    }
    return {name: value for name, value in given.items() if value}


async def _run_tool(name: str, dsn: str, *arguments: str) -> None:
    environment: Mapping[str, str] = {**os.environ, **connection_environment(dsn)}
    process = await asyncio.create_subprocess_exec(
        str(embedded.tool(name)), *arguments, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await process.communicate()
    if process.returncode != 0:
        raise RestoreRefusedError(f"{name} failed: {errors.decode(errors='replace').strip()}")


async def backup(settings: Settings, file: Path, say: Callable[[str], object]) -> int:
    """Write the backup; an existing file is never overwritten."""
    if _is_taken(file):
        say(f"{file} exists already; name a new file.")
        return 1
    async with app.open_database(settings, migrate=False) as database:
        with tempfile.TemporaryDirectory() as folder:
            dump = Path(folder) / DUMP
            await _run_tool("pg_dump", database.dsn, "-Fc", "--no-owner", "--file", str(dump))
            size = await asyncio.to_thread(_pack, file, dump, settings)
    say(f"Wrote {file} ({size} bytes). Keep the token key elsewhere, and safe.")
    return 0


def _is_taken(file: Path) -> bool:
    return file.exists()


def _pack(file: Path, dump: Path, settings: Settings) -> int:
    manifest = {
        "made_at": clock.now().isoformat(timespec="seconds"),
        "token_key": fingerprint(settings),
        "dump_sha256": _digest(dump),
    }
    body = json.dumps(manifest, indent=1).encode()
    part = file.with_name(file.name + ".part")
    # Nobody else may read it while it grows, either.
    with (
        open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as opened,  # noqa: PTH123
        tarfile.open(fileobj=opened, mode="w") as archive,
    ):
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(body)
        archive.addfile(info, io.BytesIO(body))
        archive.add(dump, DUMP)
    part.chmod(0o600)
    part.rename(file)
    return file.stat().st_size


def _digest(dump: Path) -> str:
    """Hash a file that may be larger than the memory."""
    with dump.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _unpack(file: Path, folder: Path, settings: Settings) -> Path:
    with tarfile.open(file) as archive:
        archive.extract(MANIFEST, folder, filter="data")
        archive.extract(DUMP, folder, filter="data")
    manifest = json.loads((folder / MANIFEST).read_text())
    if manifest["token_key"] != fingerprint(settings):
        raise RestoreRefusedError(
            "The backup was made with another token key; with this one every link in every letter "
            "would be dead. Set TERMINBUCH_TOKEN_KEY_FILE to the key of that installation."
        )
    dump = folder / DUMP
    if _digest(dump) != manifest["dump_sha256"]:
        raise RestoreRefusedError("The backup is damaged: its checksum differs.")
    return dump


async def restore(settings: Settings, file: Path, say: Callable[[str], object]) -> int:
    """Load a backup into an empty database, hold what may have left, and migrate."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            dump = await asyncio.to_thread(_unpack, file, Path(folder), settings)
            async with app.open_database(settings, migrate=False) as database:
                await _refuse_data(database)
                await _load(database, dump)
                now = await database.fetchval("SELECT now()")
                await holding_back.hold_possibly_sent(database, now)
                say("Restored.")
                await held_command.tell(database, say)
    except (RestoreRefusedError, tarfile.TarError, KeyError, ValueError) as error:
        say(f"Nothing was restored. {error}")
        return 1
    return 0


async def _refuse_data(database: Database) -> None:
    if await database.fetchval("SELECT to_regclass('public.meeting') IS NOT NULL") and (
        await database.fetchval(
            "SELECT EXISTS (SELECT FROM meeting) OR EXISTS (SELECT FROM person)"
        )
    ):
        raise RestoreRefusedError("The database holds data already; restore into an empty one.")


async def _load(database: Database, dump: Path) -> None:
    script = dump.with_name(SCRIPT)
    await _run_tool("pg_restore", database.dsn, "--no-owner", f"--file={script}", str(dump))
    await asyncio.to_thread(_complete, script)
    await _run_tool(
        *("psql", database.dsn, "--no-psqlrc", "--quiet", "--single-transaction"),
        *("--set=ON_ERROR_STOP=1", "--output=/dev/null", f"--file={script}"),
    )
    await database.migrate()


def _complete(script: Path) -> None:
    """Let the script begin with an empty schema and end with the quarantine.

    The one line goes that the tools of PostgreSQL 18 write and servers before 17 refuse.
    """
    cleaned = script.with_name("cleaned.sql")
    with script.open("rb") as source, cleaned.open("wb") as target:
        target.write(_EMPTY)
        for line in source:
            if line.rstrip() == _NEWER_SETTING:
                break
            target.write(line)
        shutil.copyfileobj(source, target)
        target.write((_QUARANTINE + _RENEW).encode())
    cleaned.rename(script)
