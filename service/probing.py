"""The ear: the addresses that calendar programs answer to, and whether anybody hears them.

No button without an ear: an invitation asks for an answer by calendar only while a letter that we
sent to ourselves on that way came back within a day. One leaves every six hours.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from asyncpg import Record

from notifications import outbox
from notifications.outbox import NewLetter
from notifications.storage import Connection
from service import furnishing, tokens
from service.database import Database
from service.services import Services
from service.settings import Settings
from service.tokens import Keys, Purpose

KIND = "ear"
# A way that was proved counts for so long.
HEARS_FOR = timedelta(days=1)
_EVERY = timedelta(hours=6)
_LIFE = timedelta(days=1)
# The same for life: a program answers to the address that its entry came with, so the address
# outlives a renewed link.
_EPOCH = 1
# What stands before the token behind the plus sign, so that it is no other kind of tag.
_MARK = "r"
_OURSELVES = UUID("00000000-0000-4000-8000-00000000ea12")

_FIND = "SELECT way, letter_id, posted_at, heard_at FROM ear"
_POSTED = """
INSERT INTO ear (way, letter_id, posted_at) VALUES ($1, $2, $3)
ON CONFLICT (id) DO UPDATE SET way = excluded.way, letter_id = excluded.letter_id,
    posted_at = excluded.posted_at,
    heard_at = CASE WHEN ear.way = excluded.way THEN ear.heard_at END
"""
_HEARD = """
UPDATE ear SET heard_at = $2 WHERE letter_id = $1 AND posted_at > $2::timestamptz - $3::interval
RETURNING id
"""
_FORGET = "DELETE FROM ear"


@dataclass(frozen=True, slots=True)
class Hearing:
    """How the ear is: set up at all, tried when, heard when; None where it was not yet."""

    is_set_up: bool
    posted_at: datetime | None = None
    heard_at: datetime | None = None

    def is_open(self, now: datetime) -> bool:
        """Tell whether invitations may ask for answers by calendar."""
        return self.is_set_up and hears(self.heard_at, now)


def hears(heard_at: datetime | None, now: datetime) -> bool:
    """Tell whether a letter to ourselves came back within a day."""
    return heard_at is not None and now - heard_at <= HEARS_FOR


def is_set_up(settings: Settings) -> bool:
    """Tell whether calendar programs have an address to answer to, and letters can leave."""
    return settings.imip_address is not None and settings.smtp_host is not None


def write_address(settings: Settings, token: str) -> str:
    """Return the address that one invitation is answered to; a plain one is that of all."""
    local, _, domain = (settings.imip_address or settings.mail_from).rpartition("@")
    if not local:
        return f"{_MARK}{token}@{domain}"
    return f"{local}{_MARK}{token}@{domain}" if local.endswith("+") else f"{local}@{domain}"


def takes_tokens(settings: Settings) -> bool:
    """Tell whether each invitation has an address of its own."""
    local = (settings.imip_address or "x@").rpartition("@")[0]
    return not local or local.endswith("+")


def derive_token(keys: Keys, handle: UUID) -> str:
    """Write the token of an invitation's address, from the handle of its link."""
    return tokens.derive(keys, Purpose.ORGANISER, handle, _EPOCH)


def read_handle(settings: Settings, keys: Keys, address: str) -> UUID | None:
    """Return the handle of the invitation that an address names; None for any other or a forgery.

    Case does not count, because mail servers change it.
    """
    own_local, _, own_domain = (settings.imip_address or "").rpartition("@")
    local, _, domain = address.strip().strip("<>").lower().rpartition("@")
    begin = f"{own_local}{_MARK}"
    if not takes_tokens(settings) or not own_domain or domain != own_domain:
        return None
    if not local.startswith(begin):
        return None
    token = local.removeprefix(begin)
    handle = tokens.read_handle(token)
    if handle is None or not tokens.matches(keys, token, Purpose.ORGANISER, handle, _EPOCH):
        return None
    return handle


def is_answered(settings: Settings, keys: Keys, address: str) -> bool:
    """Tell whether calendar programs answer to this address."""
    if settings.imip_address is None:
        return False
    is_plain = address.strip().lower() == settings.imip_address
    return is_plain or read_handle(settings, keys, address) is not None


def own_address(settings: Settings, keys: Keys) -> str:
    """Return where the letter to ourselves goes: an address like those of invitations."""
    return write_address(settings, derive_token(keys, _OURSELVES))


async def look(database: Database, settings: Settings) -> Hearing:
    """Return how the ear is."""
    row = await database.fetchrow(_FIND)
    if row is None or not is_set_up(settings) or row["way"] != settings.imip_address:
        return Hearing(is_set_up(settings))
    return Hearing(is_set_up=True, posted_at=row["posted_at"], heard_at=row["heard_at"])


async def post_probe(services: Services, now: datetime) -> bool:
    """Post a letter to ourselves every six hours; False when none is due.

    An ear that is not set up any more is deaf at once.
    """
    settings, database = services.settings, services.database
    if not is_set_up(settings):
        await database.fetch(_FORGET)
        return False
    row = await database.fetchrow(_FIND)
    if not _is_due(row, settings, now) or not await furnishing.is_ready(database):
        return False
    async with database.unit_of_work() as unit:
        letter_id = await outbox.post(unit.connection, _letter(settings, services.keys, now))
        if letter_id is None:
            return False
        await unit.connection.execute(_POSTED, settings.imip_address, letter_id, now)
    return True


async def hear(connection: Connection, letter_ids: tuple[UUID, ...], now: datetime) -> bool:
    """Note that the letter to ourselves came back; False for another one, or one too old."""
    for letter_id in letter_ids:
        if await connection.fetchval(_HEARD, letter_id, now, _LIFE) is not None:
            return True
    return False


def _is_due(row: Record | None, settings: Settings, now: datetime) -> bool:
    if row is None or row["way"] != settings.imip_address or row["posted_at"] is None:
        return True
    return bool(now - row["posted_at"] >= _EVERY)


def _letter(settings: Settings, keys: Keys, now: datetime) -> NewLetter:
    address = own_address(settings, keys)
    return NewLetter(
        dedupe_key=f"ear:{settings.imip_address}:{now:%Y%m%d%H%M}",
        kind=KIND,
        recipient_id=None,
        subject_id=None,
        ordering_key=KIND,
        not_before=now,
        expires_at=now + _LIFE,
        locale=settings.default_locale,
        priority=0,
        recipient_domain=address.rpartition("@")[2],
    )
