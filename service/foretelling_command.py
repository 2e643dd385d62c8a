"""`terminbuch rehearse`: which letters would leave in the next days, and as files on request."""

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

from notifications import letters
from notifications.letters import Envelope
from service import app, foretelling, furnishing, relaying
from service.auditing import COMMAND
from service.domain import instants
from service.foretelling import LONGEST, Foretelling, Foretold, SwitchableRule, Window
from service.pages.catalogue import texts
from service.services import Services
from service.settings import Settings
from service.web import foretold_words, rule_words
from service.web.foretold_words import Batch, Shift

Say = Callable[[str], object]
_DAYS = timedelta(days=7)
_HEAD = ("day", "time", "letters", "kind", "session", "reason")


async def run(  # noqa: PLR0917 - one argument an option
    settings: Settings,
    first: date | None,
    last: date | None,
    folder: Path | None,
    say: Say,
    rule_id: UUID | None = None,
) -> int:
    """Print a table of what would leave; return 2 for an odd time or rule.

    With a rule, print what switching it would change instead.
    """
    async with app.open_services(settings, migrate=False) as services:
        zone = ZoneInfo((await furnishing.look(services.database)).time_zone)
        window = _window(first, last, services.clock(), zone)
        if window is None:
            say(f"Give a time from today on, of {LONGEST.days} days at most, its end not first.")
            return 2
        if rule_id is not None:
            return await _switch(services, window, rule_id, zone, say)
        found = await foretelling.foretell(services, window)
        for line in _table(found, zone):
            say(line)
        if folder is not None:
            _write(services, found, folder)
            say(f"Wrote {len(found.letters)} letters into {folder}; their links open nothing.")
    return 0


async def list_rules(settings: Settings, say: Say) -> None:
    """Print one line a rule that can be switched to see what it would change."""
    async with app.open_services(settings, migrate=False) as services:
        for each in await foretelling.list_switchable(services.database, services.clock()):
            say(f"{each.id}  {_words(each)}")


async def _switch(
    services: Services, window: Window, rule_id: UUID, zone: ZoneInfo, say: Say
) -> int:
    known = await foretelling.list_switchable(services.database, services.clock())
    rule = next((each for each in known if each.id == rule_id), None)
    if rule is None:
        say("There is no such rule; `terminbuch rehearse --rules` lists them.")
        return 2
    found = await foretelling.foretell_difference(services, window, rule.switched(COMMAND))
    say(f"If this rule were switched {'off' if rule.is_enabled else 'on'}: {_words(rule)}")
    for shift in foretold_words.shifts(found, "en"):
        say(_line(shift, zone))
    say(f"{len(found.more)} letters more, {len(found.less)} less, {len(found.moved)} moved.")
    if found.until is not None:
        say(f"There are very many letters; compared until {found.until.astimezone(zone):%c}.")
    return 0


def _words(known: SwitchableRule) -> str:
    state = "on" if known.is_enabled else "off"
    where = f" ({known.scope_name})" if known.scope_name else ""
    return f"{rule_words.say(known.rule, 'en')}{where}, now {state}"


def _line(shift: Shift, zone: ZoneInfo) -> str:
    mark = {"new": "+", "gone": "-"}.get(shift.change, "~")
    was = f", instead of {shift.was_at.astimezone(zone):%Y-%m-%d %H:%M}" if shift.was_at else ""
    kind = texts("en").t(f"kind.{shift.kind}")
    at = f"{shift.at.astimezone(zone):%Y-%m-%d %H:%M}"
    return f"{mark} {at}  {shift.count}  {kind}  {shift.title}{was}"


def _window(first: date | None, last: date | None, now: datetime, zone: ZoneInfo) -> Window | None:
    today = now.astimezone(zone).date()
    first = first or today
    last = last or first + _DAYS
    if first < today or not first <= last <= first + LONGEST:
        return None
    begin = instants.to_utc(datetime.combine(first, time()), zone.key)
    end = instants.to_utc(datetime.combine(last + timedelta(days=1), time()), zone.key)
    return Window(max(begin, now), end - timedelta(microseconds=1))


def _table(found: Foretelling, zone: ZoneInfo) -> list[str]:
    rows = [_HEAD] + [_row(each, zone) for each in foretold_words.batches(found.letters, "en")]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_HEAD))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    more = f" There are more; only {foretelling.MOST} are told." if found.is_cut else ""
    lines.append(f"{len(found.letters)} letters would leave.{more}")
    if found.stopped:
        lines.append(f"{len(found.stopped)} would be kept back.")
    return [*lines, "Nobody answers in a rehearsal; whoever does gets other reminders than these."]


def _row(batch: Batch, zone: ZoneInfo) -> tuple[str, ...]:
    local = batch.at.astimezone(zone)
    kind = texts("en").t(f"kind.{batch.kind}")
    count = str(len(batch.letters))
    return f"{local:%Y-%m-%d}", f"{local:%H:%M}", count, kind, batch.title, batch.reason


def _write(services: Services, found: Foretelling, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, letter in enumerate(found.letters, 1):
        name = f"{number:04}-{letter.at:%Y%m%dT%H%M}-{letter.kind}.eml"
        (folder / name).write_bytes(_raw(services, letter))


def _raw(services: Services, letter: Foretold) -> bytes:
    if letter.draft is None or letter.go is None:
        raise ValueError(letter.id)
    prototype = letters.prototype(letter.draft, relaying.sender(services.settings), letter.locale)
    envelope = Envelope(letter.id, letter.go.to_addr, letter.go.to_name)
    return letters.render(prototype, letter.go.values, envelope, letter.at.replace(microsecond=0))
