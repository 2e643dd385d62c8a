"""`terminbuch held`: what a restored backup holds back, to be released or dropped by list."""

from collections.abc import Callable, Sequence
from uuid import UUID

from service import app, holding_back, posting
from service.auditing import COMMAND
from service.database import Database
from service.holding_back import Standing, Waiting
from service.pages.catalogue import texts
from service.posting import PostedLetter
from service.settings import Settings

Say = Callable[[str], object]


async def show(settings: Settings, say: Say) -> int:
    """Print one line a letter that is held, the oldest first."""
    async with app.open_database(settings, migrate=False) as database:
        letters = await posting.list_restored(database)
        count = await posting.count_restored(database)
        standing = await holding_back.describe(database)
    for letter in letters:
        say(_line(letter))
    say(f"{count} letters are held.")
    _tell_notices(standing, say)
    return 0


async def tell(database: Database, say: Say) -> None:
    """Print what a restore holds back, what it could not write, and what leaves later by itself."""
    standing = await holding_back.describe(database)
    say(f"{standing.letters} letters are held; the office decides which of them leave.")
    for sort in standing.held:
        say(f"  {sort.letters} x {_about(sort.kind, sort.title)}")
    _tell_notices(standing, say)


def _tell_notices(standing: Standing, say: Say) -> None:
    _tell_times("were due and could not be written; tell people yourself", standing.unwritten, say)
    _tell_times("are due later and leave by themselves", standing.waiting, say)


def _tell_times(what: str, notices: Sequence[Waiting], say: Say) -> None:
    if notices:
        say(f"{len(notices)} notices {what}.")
    for each in notices:
        say(f"  {each.due_at:%Y-%m-%d %H:%M} UTC, {_about(each.kind, each.title)}")


def _about(kind: str, title: str) -> str:
    name = texts("en").t(f"kind.{kind}")
    return f"{name}, {title}" if title else name


async def settle(
    settings: Settings, ids: Sequence[UUID], *, everything: bool, releases: bool, say: Say
) -> int:
    """Release or drop the named letters, or all; return 1 when none was named or none was held."""
    if bool(ids) == everything:
        say("Name the letters, or say --all.")
        return 1
    chosen = None if everything else list(ids)
    work = posting.release_restored if releases else posting.drop_restored
    async with app.open_database(settings, migrate=False) as database:
        count = await work(database, COMMAND, chosen)
    say(f"{count} letters {'leave now' if releases else 'were dropped'}.")
    return 0 if count else 1


def _line(letter: PostedLetter) -> str:
    kind = texts("en").t(f"kind.{letter.kind}")
    parts = (f"{letter.created_at:%Y-%m-%d %H:%M}", kind, letter.meeting_title, letter.address)
    return f"{letter.id}  " + ", ".join(part for part in parts if part)
