"""A PostgreSQL 15 of the system, the oldest server that is supported, in a folder of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service import embedded

VERSION = 15
_USUAL = Path(f"/usr/lib/postgresql/{VERSION}/bin")


def programs() -> Path | None:
    """Return the folder of its programs, None where it is not installed."""
    found = shutil.which("postgres")
    for folder in (_USUAL, *([Path(found).resolve().parent] if found else [])):
        if (folder / "initdb").exists() and _is_right(folder / "postgres"):
            return folder
    return None


def _is_right(program: Path) -> bool:
    shown = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    return f"(PostgreSQL) {VERSION}." in shown.stdout


@contextmanager
def running(bin_folder: Path) -> Iterator[str]:
    """Run a server that listens on a socket only; yield the address of an empty database."""
    base = Path(tempfile.mkdtemp(prefix="terminbuch-older-"))
    base.chmod(0o755)
    # It prepares a folder for a user who is not root, and knows that user.
    place = embedded.Server.under(base / "var")
    data = place.data_dir / "data"

    def run(name: str, *arguments: str | Path) -> None:
        user = {"user": place.user, "group": place.group, "extra_groups": []}
        subprocess.run(
            [bin_folder / name, *arguments],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=place.data_dir,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8"},
            start_new_session=True,
            **(user if os.geteuid() == 0 else {}),
        )

    dsn = f"postgresql://terminbuch@/terminbuch?host={place.data_dir}&port=5432"
    asking = ("-h", place.data_dir, "-U", "postgres")
    # The workers of autovacuum belong to a superuser; before version 16 they keep a database
    # from being dropped by force.
    options = "-c listen_addresses='' -c fsync=off -c autovacuum=off"
    options += f" -c unix_socket_directories={place.data_dir}"
    try:
        run("initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8")
        run("pg_ctl", "start", "-D", data, "-l", data / "log", "-o", options, "-w", "-s")
        run("createuser", *asking, "--createdb", "terminbuch")
        run("createdb", *asking, "--owner", "terminbuch", "terminbuch")
        yield dsn
    finally:
        if (data / "postmaster.pid").exists():
            run("pg_ctl", "stop", "-D", data, "-m", "immediate", "-w", "-s")
        shutil.rmtree(base)
