"""`terminbuch import`: print the dry run a line a row and, with --apply, do it."""

from collections.abc import Callable
from pathlib import Path

import click

from service import app, clock, importing
from service.auditing import COMMAND
from service.database import Database
from service.domain.errors import FieldsError, StaleFormError
from service.domain.imports import Choice, Kind, Line, Note, Outcome, Plan, Verdict
from service.import_files import MOST_BYTES
from service.pages.catalogue import texts
from service.settings import Settings

# Below this a bar would flash by.
_LONG = 500
_NOTHING = "–"


async def run(
    settings: Settings, kind: str, file: Path, *, applies: bool, end_missing: bool
) -> int:
    """Show what a list would do and, if it applies, do it; return 1 when rows have errors.

    Uncertain rows are never done here: the page asks about each of them.
    """
    with file.open("rb") as opened:
        # One byte more than allowed is enough to refuse the file.
        content = opened.read(MOST_BYTES + 1)
    async with app.open_database(settings, migrate=True) as database:
        try:
            return await _run(database, Kind(kind), content, applies, end_missing)
        except FieldsError as error:
            for text, values in error.fields.values():
                click.echo(f"{file.name}: {_say(Note(text, values))}", err=True)
        except StaleFormError:
            click.echo(
                "Somebody else saved meanwhile; nothing was changed. Run it again.", err=True
            )
    return 2


async def _run(
    database: Database,
    kind: Kind,
    content: bytes,
    applies: bool,  # noqa: FBT001 (handed on from keywords)
    end_missing: bool,  # noqa: FBT001
) -> int:
    plan = await importing.plan(database, kind, content, clock.now())
    _print_plan(plan, end_missing=end_missing)
    if applies:
        _print_outcome(await _apply(database, plan, content, end_missing=end_missing))
    else:
        click.echo("Nothing was changed. Run it again with --apply to do this.")
    return 1 if plan.of(Verdict.ERROR) else 0


async def _apply(database: Database, plan: Plan, content: bytes, *, end_missing: bool) -> Outcome:
    choice = Choice(ends_missing=end_missing, seen=plan.fingerprint)
    planned = len(plan.of(Verdict.NEW)) + len(plan.of(Verdict.CHANGED))

    async def work(progress: Callable[[int], object]) -> Outcome:
        return await importing.apply(
            database, COMMAND, plan.kind, content, clock.now(), choice=choice, progress=progress
        )

    if planned < _LONG:
        return await work(lambda _: None)
    with click.progressbar(length=planned, label="Writing") as bar:
        return await work(bar.update)


def _print_plan(plan: Plan, *, end_missing: bool) -> None:
    for line in plan.lines:
        _print_line(line, end_missing=end_missing)
    counts = plan.counts
    click.echo(", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict]))


def _print_line(line: Line, *, end_missing: bool) -> None:
    place = f"row {line.number}" if line.number else "      "
    click.echo(f"{place:>8}  {line.verdict:<9}  {line.label}{_fate(line, end_missing=end_missing)}")
    for change in line.changes:
        name = texts("en").t(f"imp.field_{change.name}")
        click.echo(f"{'':21}{name}: {change.old or _NOTHING} -> {change.new or _NOTHING}")
    for note in (*line.errors, *line.notes):
        click.echo(f"{'':21}{_say(note)}")


def _fate(line: Line, *, end_missing: bool) -> str:
    if line.verdict is Verdict.UNCERTAIN:
        return "  (skipped: name and partner are like somebody's; decide on the page)"
    if line.verdict is Verdict.MISSING:
        return "  (would end)" if end_missing else "  (stays)"
    return ""


def _print_outcome(outcome: Outcome) -> None:
    click.echo(
        f"Done: {outcome.added} added, {outcome.changed} changed, {outcome.ended} ended, "
        f"{outcome.skipped} skipped."
    )


def _say(note: Note) -> str:
    return texts("en").t(note.text, **note.values)
