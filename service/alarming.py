"""Tell somebody by mail what nobody would see: letters that stay or are lost, ticks that stand.

At most one letter an hour and reason, through the outbox like every other: a mail server that is
away is not woken by it, and the pages say the same meanwhile. While too much is refused for others
to leave, it is tried past them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from asyncpg import Connection

from notifications import outbox
from notifications.outbox import NewLetter
from service import furnishing, looking_after, pausing, probing, relaying
from service.database import Database
from service.furnishing import InstanceData
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.plain_letters import OfficeLetter
from service.services import Services
from service.settings import Settings
from service.tables import alarm_statements as statements

KIND = "alarm"
_LIFE = timedelta(days=1)
# A tick that failed once mends itself in the next run.
_TICKS_PATIENCE = timedelta(minutes=5)
_AT_ONCE = timedelta(0)
_UNREACHABLE = frozenset({"undeliverable", "blocked"})


class Reason(StrEnum):
    """What went wrong; those of the relay are the reasons of its pause."""

    RELAY_DOWN = "relay_down"
    RELAY_BUSY = "relay_busy"
    RELAY_CONFIG = "relay_config"
    MANY_REFUSED = "many_refused"
    POLICY_REFUSED = "policy_refused"
    LETTERS_DEAD = "letters_dead"
    LETTERS_UNWRITABLE = "letters_unwritable"
    LETTERS_REFUSED = "letters_refused"
    LETTERS_UNCERTAIN = "letters_uncertain"
    TICKS = "ticks"
    EAR_DEAF = "ear_deaf"


# These count what nobody was told of yet, so they end by being told.
_EVENTS = frozenset(
    {Reason.LETTERS_DEAD, Reason.LETTERS_UNWRITABLE, Reason.LETTERS_REFUSED},
)
# Where the office looks; anything else stands on the page of sending.
_PAGES = {
    Reason.TICKS: "/buero",
    Reason.LETTERS_REFUSED: "/buero/versand?zustand=refused",
}
# People still answer by their links, so one letter about it will do however long it lasts.
_TOLD_ONCE = frozenset({Reason.EAR_DEAF})


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that is wrong at the moment; `count` is of letters, 0 where none are meant."""

    reason: Reason
    since: datetime
    count: int = 0


@dataclass(frozen=True, slots=True)
class Alarm:
    """What is kept of a trouble; `told_at` is None while nobody was told by mail."""

    reason: str
    began_at: datetime
    ended_at: datetime | None
    told_at: datetime | None
    letters: int


@dataclass(frozen=True, slots=True)
class Board:
    """What is wrong and not over, each with its sentence, and who is told by mail."""

    alarms: Sequence[tuple[Alarm, str]]
    address: str
    is_reachable: bool


async def look(services: Services, now: datetime) -> int:
    """Note what is wrong and what is over, and post what somebody has to be told; how many."""
    found = await find(services, now)
    to = address(services.settings, (await furnishing.look(services.database)).instance)
    async with services.database.unit_of_work() as unit:
        for one in found:
            await unit.connection.execute(statements.SEE, one.reason, one.since, now, one.count)
        await unit.connection.execute(statements.END, [one.reason for one in found], now)
        if services.settings.smtp_host is None or not await _can_reach(unit.connection, to):
            return 0
        return sum([await _tell(unit.connection, services, one, to, now) for one in found])


async def find(services: Services, now: datetime) -> list[Trouble]:
    """Return what is wrong now: with the relay, with letters, with the ticks, with the ear."""
    found = [*await _of_relay(services, now), *await _of_ear(services, now)]
    letters = await services.database.fetch(statements.LETTERS, now)
    found += [Trouble(Reason(row["reason"]), row["since"], row["count"]) for row in letters]
    unclear = await services.database.fetchrow(statements.UNCERTAIN, now)
    if unclear is not None and unclear["count"]:
        found.append(Trouble(Reason.LETTERS_UNCERTAIN, unclear["since"], unclear["count"]))
    ticks = looking_after.judge_ticks(await services.database.fetch(statements.JOBS), now)
    if not ticks.holds:
        found.append(Trouble(Reason.TICKS, now))
    return found


async def look_over(services: Services, locale: str) -> Board:
    """Return what the pages show of it."""
    rows = await services.database.fetch(statements.OPEN)
    to = address(services.settings, (await furnishing.look(services.database)).instance)
    return Board(
        alarms=[(Alarm(**dict(row)), say(row["reason"], row["letters"], locale)) for row in rows],
        address=to,
        is_reachable=await is_reachable(services.database, to),
    )


async def is_reachable(database: Database, to: str) -> bool:
    """Tell whether the address for alarms takes mail, as far as we know."""
    return await database.fetchval(statements.ADDRESS_STATE, to) not in _UNREACHABLE


def address(settings: Settings, instance: InstanceData) -> str:
    """Return who is told: the operator where one is set, else the office."""
    return settings.alarm_address or relaying.office_address(settings, instance)


async def read(
    database: Database, cause: Mapping[str, Any], locale: str, public_url: str
) -> OfficeLetter | None:
    """Return what stands in the letter; None when nothing is known of its reason any more."""
    row = await database.fetchrow(statements.ONE, cause["reason"])
    if row is None:
        return None
    alarm, t = Alarm(**dict(row)), texts(locale).t
    lines = [say(alarm.reason, alarm.letters, locale)]
    lines.append(t("alarm.since", at=dates.format_moment(alarm.began_at, locale)))
    if alarm.ended_at is not None and alarm.reason not in _EVENTS:
        lines.append(t("alarm.over", at=dates.format_moment(alarm.ended_at, locale)))
    path = _PAGES.get(Reason(alarm.reason), "/buero/versand")
    return OfficeLetter(
        heading=t(f"alarm.short_{alarm.reason}"),
        values={
            "lines": "\n\n".join(lines),
            "link_office": f"{public_url}{localised(path, locale)}",
        },
    )


def say(reason: str, count: int, locale: str) -> str:
    """Write what is wrong; of the relay the same words as on the page."""
    known = texts(locale)
    own = f"alarm.{reason}"
    return known.t(own, n=count) if known.has(own) else known.t(f"standstill.{reason}")


async def _of_relay(services: Services, now: datetime) -> list[Trouble]:
    standstill = await pausing.find(services, now)
    if standstill is None or standstill.reason not in set(Reason):
        return []
    return [Trouble(Reason(standstill.reason), standstill.since or now)]


async def _of_ear(services: Services, now: datetime) -> list[Trouble]:
    """Find that answers by calendar came once and come no more; an ear never heard is no loss."""
    ear = await probing.look(services.database, services.settings)
    if ear.heard_at is None or ear.is_open(now):
        return []
    return [Trouble(Reason.EAR_DEAF, ear.heard_at + probing.HEARS_FOR)]


async def _can_reach(connection: "Connection[Any]", to: str) -> bool:
    return await connection.fetchval(statements.ADDRESS_STATE, to) not in _UNREACHABLE


async def _tell(
    connection: "Connection[Any]", services: Services, one: Trouble, to: str, now: datetime
) -> bool:
    """Post the letter about one trouble, if it is time; two workers tell it once."""
    patience = _TICKS_PATIENCE if one.reason is Reason.TICKS else _AT_ONCE
    again = one.reason not in _TOLD_ONCE
    if await connection.fetchval(statements.TELL, one.reason, now, patience, again) is None:
        return False
    letter = NewLetter(
        dedupe_key=f"alarm:{one.reason}:{now.isoformat()}",
        kind=KIND,
        recipient_id=None,
        subject_id=None,
        ordering_key=f"alarm:{one.reason}",
        not_before=now,
        expires_at=now + _LIFE,
        locale=services.settings.default_locale,
        cause={"reason": one.reason.value},
        priority=1,
        recipient_domain=to.rpartition("@")[2].lower(),
    )
    return await outbox.post(connection, letter) is not None
