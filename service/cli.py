"""The command `terminbuch`: serve, migrate, check, demo, import, rehearse, account and more."""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from uuid import UUID

import click
import uvloop

from service.domain.spf import Address
from service.logs import configure_logs
from service.settings import Settings, SettingsError

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


def read_settings() -> Settings:
    """Read the environment; odd values end the command with one sentence each."""
    try:
        settings = Settings.read(os.environ)
    except SettingsError as error:
        for problem in error.problems:
            click.echo(f"terminbuch: {problem}", err=True)
        sys.exit(2)
    configure_logs(settings.log_level, settings.log_format)
    return settings


def _leave_on_signals() -> None:
    """Let a signal end the command well while nothing has begun; loading takes seconds."""

    def leave(*_: object) -> None:
        for number in STOP_SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        sys.exit(0)

    for number in STOP_SIGNALS:
        signal.signal(number, leave)


def run(work: Callable[[], Coroutine[Any, Any, int | None]]) -> None:
    """Run an async command and leave with its exit code."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            code = runner.run(work())
    except KeyboardInterrupt:
        code = 130
    sys.exit(code or 0)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="terminbuch")
def main() -> None:
    """Plan sessions, ask partners, keep calendars right and remind by mail.

    Settings come from the environment (TERMINBUCH_..., see the README). Without a database
    setting an embedded PostgreSQL runs under ./var.
    """


@main.command()
@click.option("--role", type=click.Choice(["all", "web", "worker"]), help="Default: the setting.")
def serve(role: str | None) -> None:
    """Serve the pages and feeds, and run the worker."""
    _leave_on_signals()
    from service import serving  # noqa: PLC0415 - the server is loaded by the command that needs it

    settings = read_settings()
    run(lambda: serving.run(settings, role or settings.role))


@main.command()
def migrate() -> None:
    """Bring the database's tables to this version."""
    from service import app  # noqa: PLC0415

    settings = read_settings()

    async def work() -> None:
        async with app.open_database(settings, migrate=False) as database:
            done = await database.migrate()
        for name in done:
            click.echo(f"migrated: {name}")
        click.echo("The database is at this version.")

    run(work)


@main.group(invoke_without_command=True)
@click.pass_context
def check(context: click.Context) -> None:
    """Look at settings, database, mail server and public address, and say what is wrong."""
    if context.invoked_subcommand is not None:
        return
    from service import checking  # noqa: PLC0415

    settings = read_settings()
    run(lambda: checking.run(settings, click.echo))


@check.command("mail")
@click.option("--selector", "selectors", multiple=True, help="Name of the mail server's DKIM key.")
@click.option("--address", "addresses", multiple=True, type=ip_address, help="Its outward address.")
@click.option("--to", metavar="ADDRESS", help="Send a trial letter there.")
@click.option("--locale", type=click.Choice(["de", "en"]), help="Default: the setting.")
@click.option("--nameserver", type=ip_address, metavar="IP", help="Ask this one only.")
@click.option("--nameserver-port", default=53, show_default=True)
def check_mail(
    *,
    selectors: tuple[str, ...],
    addresses: tuple[Address, ...],
    to: str | None,
    locale: str | None,
    nameserver: Address | None,
    nameserver_port: int,
) -> None:
    """Look at MX, SPF, DKIM, DMARC, PTR and the mail server; leave with 2 without any DNS."""
    from service import checking_mail, clock, resolver  # noqa: PLC0415

    settings = read_settings()
    inquiry = checking_mail.Inquiry(
        locale=locale or settings.default_locale, selectors=selectors, addresses=addresses, to=to
    )
    asked = resolver.Resolver(str(nameserver) if nameserver else None, port=nameserver_port)
    run(lambda: checking_mail.run(settings, inquiry, asked, clock.now(), click.echo))


@main.command()
@click.option("--check", "only_check", is_flag=True, help="Play the whole chain, then stop.")
@click.option("--port", default=8000, show_default=True, help="First port to try.")
def demo(*, only_check: bool, port: int) -> None:
    """Run the product on the alliance's data, with a mail catcher, on this machine only."""
    configure_logs("warning", "text")
    if only_check:
        from service.demo import checking  # noqa: PLC0415

        run(lambda: checking.run(port, click.echo))
    else:
        from service.demo import running  # noqa: PLC0415

        run(lambda: running.run(port, click.echo))


@main.group("import")
def import_() -> None:
    """Take in lists of members, partners or meetings; shows what would change, changes nothing."""


def _import_command(kind: str, what: str) -> None:
    @import_.command(kind, help=f"{what} Changes nothing without --apply.")
    @click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
    @click.option("--apply", "applies", is_flag=True, help="Do what the dry run shows.")
    @click.option("--end-missing", is_flag=True, help="End what the file no longer names.")
    def command(file: Path, *, applies: bool, end_missing: bool) -> None:
        from service import importing_command  # noqa: PLC0415

        settings = read_settings()
        run(
            lambda: importing_command.run(
                settings, kind, file, applies=applies, end_missing=end_missing
            )
        )


_import_command("members", "People with partner, address and groups, as CSV.")
_import_command("partners", "Partner organisations, as CSV.")
_import_command("meetings", "Groups and meetings, as JSON.")


@main.group()
def account() -> None:
    """Give people of the office access."""


@account.command("add")
@click.argument("email")
@click.option("--name", required=True, help="Name as it is shown to others.")
@click.option(
    "--role",
    type=click.Choice(["coordinator", "lead", "reader", "admin"]),
    default="coordinator",
    show_default=True,
)
@click.option("--group", "groups", multiple=True, help="Short address of a lead's group.")
def account_add(email: str, name: str, role: str, groups: tuple[str, ...]) -> None:
    """Create an account and print a sign-in link that works once within 24 hours."""
    from service import accounts_command  # noqa: PLC0415

    settings = read_settings()
    run(lambda: accounts_command.add(settings, email, name, role, groups, click.echo))


def _switching(name: str, what: str, *, ends: bool) -> None:
    @account.command(name, help=what)
    @click.argument("email")
    def command(email: str) -> None:
        from service import accounts_command  # noqa: PLC0415

        settings = read_settings()
        run(lambda: accounts_command.switch(settings, email, click.echo, ends=ends))


_switching("disable", "End an account's access, its sessions and its unused links.", ends=True)
_switching("enable", "Switch an account on again.", ends=False)


_DAY = click.DateTime(["%Y-%m-%d"])


@main.command()
@click.option("--from", "first", type=_DAY, help="First day, such as 2027-01-31; default: today.")
@click.option("--to", "last", type=_DAY, help="Last day; default: seven days later.")
@click.option(
    "--letters", type=click.Path(file_okay=False, path_type=Path), help="Write .eml files."
)
@click.option("--rule", type=click.UUID, help="What switching this rule would change.")
@click.option("--rules", is_flag=True, help="List the rules that --rule can name.")
def rehearse(
    first: datetime | None,
    last: datetime | None,
    letters: Path | None,
    rule: UUID | None,
    *,
    rules: bool,
) -> None:
    """Tell which letters would leave in the next days; sends nothing, keeps nothing."""
    from service import foretelling_command  # noqa: PLC0415

    settings = read_settings()
    if rules:
        run(lambda: foretelling_command.list_rules(settings, click.echo))
    days = first.date() if first else None, last.date() if last else None
    run(lambda: foretelling_command.run(settings, *days, letters, click.echo, rule))


@main.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Write the whole database into one file (the token key is not in it)."""
    from service import backing_up  # noqa: PLC0415

    settings = read_settings()
    run(lambda: backing_up.backup(settings, file, click.echo))


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def restore(file: Path) -> None:
    """Load a backup into an empty database; letters that may have left since are held."""
    from service import backing_up  # noqa: PLC0415

    settings = read_settings()
    run(lambda: backing_up.restore(settings, file, click.echo))


@main.group()
def held() -> None:
    """List, release or drop the letters that a restored backup holds back."""


@held.command("list")
def held_list() -> None:
    """Print one line a letter that is held."""
    from service import held_command  # noqa: PLC0415

    settings = read_settings()
    run(lambda: held_command.show(settings, click.echo))


def _settling(name: str, what: str, *, releases: bool) -> None:
    @held.command(name, help=what)
    @click.argument("ids", nargs=-1, type=click.UUID)
    @click.option("--all", "everything", is_flag=True, help="All that are held.")
    def command(ids: tuple[UUID, ...], *, everything: bool) -> None:
        from service import held_command  # noqa: PLC0415

        settings = read_settings()
        run(
            lambda: held_command.settle(
                settings, ids, everything=everything, releases=releases, say=click.echo
            )
        )


_settling("release", "Let the named letters leave.", releases=True)
_settling("drop", "Give the named letters up.", releases=False)
