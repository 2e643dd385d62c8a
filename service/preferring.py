"""Let people choose which letters they get, by a link of its own or through the office.

The links open the switches and nothing else. What is switched off here is looked at when a letter
would leave, so it counts for letters that wait already. Renewing a person's links ends all of them
that were mailed so far.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service import auditing, furnishing, reminding, tokens
from service.auditing import Actor
from service.database import Database
from service.domain import instants, preferences
from service.domain.errors import FieldsError, LinkReplacedError, LinkUnknownError, NotFoundError
from service.domain.preferences import OwnTimes, Preferences, Topic
from service.tables import rule_rows
from service.tokens import Keys, Purpose

# Whoever writes to this local part with a token behind it unsubscribes (RFC 2369 section 3.2).
MAIL_LOCAL = "unsub"
LONGEST_PAUSE = timedelta(days=366)
_UNSUBSCRIBING: Mapping[Topic, Purpose] = {
    Topic.REMINDERS: Purpose.UNSUBSCRIBE_REMINDERS,
    Topic.NUDGES: Purpose.UNSUBSCRIBE_NUDGES,
    Topic.DIGEST: Purpose.UNSUBSCRIBE_DIGEST,
    Topic.PAPERS: Purpose.UNSUBSCRIBE_PAPERS,
}
_COLUMNS = """s.reminders, s.nudges, s.papers, s.digest, s.digest_only, s.paused_until,
    s.has_own_times, s.own_days, s.own_at, s.own_minutes, s.text_only, s.no_calendar"""
_FIND = f"""
SELECT p.id, p.full_name, p.locale, p.mail_epoch, s.changed_at, {_COLUMNS}
FROM person p LEFT JOIN preference s ON s.person_id = p.id
"""
_FIND_BY_HANDLE = f"{_FIND} WHERE p.mail_handle = $1 AND p.anonymised_at IS NULL"
_FIND_BY_ID = f"{_FIND} WHERE p.id = $1"
# Two presses at once must not undo each other: the second one waits and reads what the first left.
_LOCK = "SELECT mail_epoch FROM person WHERE id = $1 FOR NO KEY UPDATE"
_RENEW = """
UPDATE person SET mail_epoch = mail_epoch + 1 WHERE id = $1 AND anonymised_at IS NULL
RETURNING mail_epoch
"""
# A form of the office that was opened before must not take the language back.
_SPEAK = """
UPDATE person SET locale = $2, revision = revision + 1 WHERE id = $1 AND locale <> $2
RETURNING locale
"""
_SAVE = """
INSERT INTO preference AS s
    (person_id, reminders, nudges, papers, digest, digest_only, paused_until,
     has_own_times, own_days, own_at, own_minutes, text_only, no_calendar, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
ON CONFLICT (person_id) DO UPDATE
SET (reminders, nudges, papers, digest, digest_only, paused_until,
     has_own_times, own_days, own_at, own_minutes, text_only, no_calendar, changed_at)
  = (excluded.reminders, excluded.nudges, excluded.papers, excluded.digest, excluded.digest_only,
     excluded.paused_until, excluded.has_own_times, excluded.own_days, excluded.own_at,
     excluded.own_minutes, excluded.text_only, excluded.no_calendar, excluded.changed_at)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """A person's preferences; `changed_at` is None while they are what everybody starts with.

    `locale` is the language of all letters to the person, `epoch` counts how often the links to
    this were renewed, from 1.
    """

    person_id: UUID
    full_name: str
    locale: str
    epoch: int
    preferences: Preferences
    changed_at: datetime | None


def read(row: Mapping[str, Any]) -> Preferences:
    """Return the preferences of a row that has the table's columns, all None without a row."""
    if row["reminders"] is None:
        return Preferences()
    return Preferences(
        reminders=row["reminders"],
        nudges=row["nudges"],
        papers=row["papers"],
        digest=row["digest"],
        digest_only=row["digest_only"],
        paused_until=row["paused_until"],
        own_times=_own_times(row) if row["has_own_times"] else None,
        text_only=row["text_only"],
        no_calendar=row["no_calendar"],
    )


def _own_times(row: Mapping[str, Any]) -> OwnTimes:
    return OwnTimes(
        days=tuple(row["own_days"]), at=row["own_at"], minutes=tuple(row["own_minutes"])
    )


def page_token(keys: Keys, handle: UUID, epoch: int) -> str:
    """Write the token of the page with the switches."""
    return tokens.derive(keys, Purpose.PREFERENCES, handle, epoch)


def unsubscribe_token(keys: Keys, topic: Topic, handle: UUID, epoch: int) -> str:
    """Write the token that switches one topic off, or on again, and opens nothing."""
    return tokens.derive(keys, _UNSUBSCRIBING[topic], handle, epoch)


def letter_links(
    keys: Keys,
    person: Mapping[str, Any],
    topic: Topic | None,
    address: Callable[[str], str],
    *,
    stop_local: str = "",
) -> dict[str, str]:
    """Return the links of a letter's foot and headers, and how often they were renewed.

    `address` makes a path a whole address. Without a topic there is nothing to switch off by one
    press. `stop_local` is what stands before the token where people unsubscribe by mail.
    """
    handle, epoch = person["mail_handle"], person["mail_epoch"]
    links = {"link_preferences": address(f"/b/{page_token(keys, handle, epoch)}")}
    # What somebody may have leaves again with the same links: this is kept with its bytes.
    links["mail_epoch"] = str(epoch)
    if topic is not None:
        token = unsubscribe_token(keys, topic, handle, epoch)
        links["link_unsubscribe"] = address(f"/u/{token}")
        links["link_unsubscribe_mail"] = f"{stop_local or f'{MAIL_LOCAL}+'}{token}"
    return links


async def find(database: Database, keys: Keys, token: str) -> Wishes:
    """Return the preferences that a link opens; raise `LinkUnknownError`, `LinkReplacedError`."""
    wishes, _ = await _open(database, keys, token, (Purpose.PREFERENCES,))
    return wishes


async def find_topic(database: Database, keys: Keys, token: str) -> tuple[Wishes, Topic]:
    """Return whose letters a link for unsubscribing would stop, and which; change nothing."""
    wishes, purpose = await _open(database, keys, token, tuple(_UNSUBSCRIBING.values()))
    return wishes, next(topic for topic, own in _UNSUBSCRIBING.items() if own is purpose)


async def find_of_person(database: Database, person_id: UUID) -> Wishes:
    """Return a person's preferences for the office, or raise `NotFoundError`."""
    row = await database.fetchrow(_FIND_BY_ID, person_id)
    if row is None:
        raise NotFoundError
    return _wishes(row)


async def save_by_link(
    database: Database,
    keys: Keys,
    token: str,
    wished: Preferences,
    now: datetime,
    *,
    locale: str | None = None,
) -> None:
    """Store what a person chose; raise `FieldsError` for a pause or times that cannot be."""
    found = await find(database, keys, token)
    actor = Actor("person", found.person_id)
    await save(database, actor, found.person_id, wished, now, locale=locale, epoch=found.epoch)


async def save(
    database: Database,
    actor: Actor,
    person_id: UUID,
    wished: Preferences,
    now: datetime,
    *,
    locale: str | None = None,
    epoch: int | None = None,
) -> None:
    """Store a person's preferences, by the person or by the office on request.

    `locale` is the language of letters, None leaves it. Letters that wait follow. With `epoch`
    raise `LinkReplacedError` when the links were renewed meanwhile.
    """
    zone = (await furnishing.read(database)).time_zone
    _check_pause(wished, instants.to_local(now, zone).date())
    _check_times(wished)
    async with database.unit_of_work() as unit:
        await _require_epoch(unit.connection, person_id, epoch)
        await _change(unit.connection, actor, person_id, lambda _: wished, now, locale)


async def renew_links(database: Database, actor: Actor, person_id: UUID) -> None:
    """Let every link to the preferences and for unsubscribing end that was mailed to a person.

    Letters that wait carry the new ones; what may have arrived already leaves again as it was.
    Raise `NotFoundError`.
    """
    async with database.unit_of_work() as unit:
        epoch = await unit.connection.fetchval(_RENEW, person_id)
        if epoch is None:
            raise NotFoundError
        await auditing.record(
            *(unit.connection, actor, "renewed_mail_links", "person", person_id), epoch=epoch
        )


@dataclass(frozen=True, slots=True)
class Stopped:
    """What one press switched off: the link's topic, or all, and the switches that it turned."""

    wishes: Wishes
    topic: Topic
    switches: tuple[str, ...]


async def unsubscribe(
    database: Database, keys: Keys, token: str, now: datetime, *, from_all: bool = False
) -> Stopped:
    """Switch off what the link is for, at once; a second time changes nothing and succeeds.

    `from_all` takes everything off that can be. Raise `LinkUnknownError`, `LinkReplacedError`.
    """
    found, topic = await find_topic(database, keys, token)
    off = preferences.without_all if from_all else partial(preferences.without, topic=topic)
    before, after = await _turn(database, found, off, now)
    return Stopped(found, topic, preferences.taken(before, after))


async def subscribe_again(
    database: Database, keys: Keys, token: str, now: datetime, switches: Collection[str] = ()
) -> None:
    """Switch on again what a press on the link took off, at once; without names its topic.

    What was left out meanwhile stays so. Raise `LinkUnknownError`, `LinkReplacedError`.
    """
    found, topic = await find_topic(database, keys, token)
    names = set(switches) & set(preferences.SWITCHES) or {topic.value}
    await _turn(database, found, partial(preferences.with_again, names=names), now)


async def _turn(
    database: Database, found: Wishes, decide: Callable[[Preferences], Preferences], now: datetime
) -> tuple[Preferences, Preferences]:
    """Let a press on somebody's link change what they get; return it as it was and as it is."""
    actor = Actor("person", found.person_id)
    async with database.unit_of_work() as unit:
        await _require_epoch(unit.connection, found.person_id, found.epoch)
        return await _change(unit.connection, actor, found.person_id, decide, now)


async def _require_epoch(connection: "Connection[Any]", person_id: UUID, epoch: int | None) -> None:
    """Lock the person, and refuse a link that was renewed since it was opened."""
    now_valid = await connection.fetchval(_LOCK, person_id)
    if epoch is not None and now_valid != epoch:
        raise LinkReplacedError


async def _open(
    database: Database, keys: Keys, token: str, purposes: tuple[Purpose, ...]
) -> tuple[Wishes, Purpose]:
    handle = tokens.read_handle(token)
    row = None if handle is None else await database.fetchrow(_FIND_BY_HANDLE, handle)
    if row is None or handle is None:
        raise LinkUnknownError
    epoch = row["mail_epoch"]
    for purpose in purposes:
        if tokens.matches(keys, token, purpose, handle, epoch):
            return _wishes(row), purpose
        if tokens.was_derived(keys, token, purpose, handle, range(1, epoch)):
            raise LinkReplacedError
    raise LinkUnknownError


async def _change(  # noqa: PLR0917 - who chose what for whom
    connection: "Connection[Any]",
    actor: Actor,
    person_id: UUID,
    decide: Callable[[Preferences], Preferences],
    now: datetime,
    locale: str | None = None,
) -> tuple[Preferences, Preferences]:
    """Change what a person chose, whose row is locked; return it as it was and as it is."""
    row = await connection.fetchrow(_FIND_BY_ID, person_id)
    if row is None:
        raise NotFoundError
    before, after = read(row), decide(read(row))
    changed = _changed(before, after)
    if locale and await connection.fetchval(_SPEAK, person_id, locale):
        changed["locale"] = locale
    if not changed:
        return before, after
    if after != before:
        await connection.execute(_SAVE, person_id, *_values(after), now)
    await auditing.record(connection, actor, "set_preferences", "person", person_id, **changed)
    if after.own_times != before.own_times:
        for rule in after.own_times.rules if after.own_times else ():
            await rule_rows.keep_choice(connection, rule)
        await reminding.plan_of_person(connection, person_id, now)
    return before, after


def _values(wished: Preferences) -> tuple[Any, ...]:
    own = wished.own_times or OwnTimes()
    return (
        *(wished.reminders, wished.nudges, wished.papers, wished.digest, wished.digest_only),
        *(wished.paused_until, wished.own_times is not None),
        *(list(own.days), own.at, list(own.minutes), wished.text_only, wished.no_calendar),
    )


def _changed(before: Preferences, after: Preferences) -> dict[str, Any]:
    """Return what is new as it is kept: days and hours as text."""
    was, is_now = asdict(before), asdict(after)
    changed = {name: value for name, value in is_now.items() if value != was[name]}
    if changed.get("paused_until") is not None:
        changed["paused_until"] = changed["paused_until"].isoformat()
    if changed.get("own_times") is not None:
        changed["own_times"] |= {"at": f"{changed['own_times']['at']:%H:%M}"}
    return changed


def _check_times(wished: Preferences) -> None:
    if wished.own_times is None:
        return
    try:
        rules = wished.own_times.rules
    except ValueError:
        rules = ()
    if not rules:
        raise FieldsError({"own_days": ("prefs.err_no_times", {})})


def _check_pause(wished: Preferences, today: date) -> None:
    until = wished.paused_until
    if until is None:
        return
    if until < today:
        raise FieldsError({"paused_until": ("prefs.err_past", {})})
    if until > today + LONGEST_PAUSE:
        raise FieldsError({"paused_until": ("prefs.err_far", {})})


def _wishes(row: Mapping[str, Any]) -> Wishes:
    return Wishes(
        person_id=row["id"],
        full_name=row["full_name"],
        locale=row["locale"],
        epoch=row["mail_epoch"],
        preferences=read(row),
        changed_at=row["changed_at"],
    )
