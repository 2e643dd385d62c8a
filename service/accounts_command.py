"""`terminbuch account`: give somebody of the office access with a first link, end it, return it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from service import addressing, app, authenticating, clock
from service.auditing import COMMAND
from service.database import Database
from service.domain.words import Role
from service.settings import Settings
from service.tokens import Keys

Say = Callable[[str], object]

_KNOWN = "SELECT id, disabled_at FROM account WHERE email_normal = $1"
_LEFT = "SELECT count(*) FROM account WHERE disabled_at IS NULL AND role <> 'reader'"
_GROUPS = "SELECT slug, id FROM working_group WHERE slug = ANY ($1::text[])"


@dataclass(frozen=True, slots=True)
class Wish:
    """Who is to get access: an address that was read, and what it may do."""

    email: str
    name: str
    role: Role
    groups: Sequence[str]


async def add(  # noqa: PLR0917 (the command hands over what it was called with)
    settings: Settings, email: str, name: str, role: str, groups: Sequence[str], say: Say
) -> int:
    """Add an account and print its sign-in link; an address that has one gets a new link only.

    `groups` are the short addresses of a lead's groups. Returns 1, and adds nothing, when the
    address is incomplete, a group is unknown, or a lead has none.
    """
    address = addressing.read_address(email)
    if address is None:
        is_odd = addressing.refusal_of(email) == "err.email_signs"
        why = "has signs beyond ASCII before the @" if is_odd else "is no complete mail address"
        say(f"PROBLEM {email!r} {why}; nothing was added")
        return 1
    wish = Wish(address, name.strip() or address, Role(role), groups)
    async with app.open_database(settings, migrate=True) as database:
        path = await _find_or_add(database, settings.token_keys, wish, say)
    if path is None:
        return 1
    say("This link signs in once, within 24 hours:")
    say(f"{settings.public_url}{path}")
    return 0


async def switch(settings: Settings, email: str, say: Say, *, ends: bool) -> int:
    """End an account's access, or return it; say what became of it. Returns 1 for an unknown one.

    What ends are also its sessions, its unused links and its calendar. Twice is no mistake.
    """
    async with app.open_database(settings, migrate=True) as database:
        known = await database.fetchrow(_KNOWN, addressing.normal(email))
        if known is None:
            say(f"PROBLEM no account has the address {email!r}; nothing was changed")
            return 1
        work = authenticating.end_access if ends else authenticating.return_access
        is_done = await work(database, COMMAND, known["id"], clock.now())
        nobody_left = ends and not await database.fetchval(_LEFT)
    say(_switched(email, ends=ends) if is_done else _unchanged(email, ends=ends))
    if nobody_left:
        say("Nobody can plan sessions now; `terminbuch account add` gives somebody access.")
    return 0


def _switched(email: str, *, ends: bool) -> str:
    if ends:
        return f"{email} is switched off; its sessions, links and calendar have ended."
    return f"{email} is switched on; the sign-in page or `terminbuch account add` makes a new link."


def _unchanged(email: str, *, ends: bool) -> str:
    return f"{email} was {'off' if ends else 'on'} before."


async def _find_or_add(database: Database, keys: Keys, wish: Wish, say: Say) -> str | None:
    known = await database.fetchrow(_KNOWN, addressing.normal(wish.email))
    if known is None:
        return await _add(database, keys, wish, say)
    if known["disabled_at"] is not None:
        say("PROBLEM this account is switched off; `terminbuch account enable` switches it on")
        return None
    say("This address has an account; name, role and groups stay as they are.")
    return await authenticating.print_link(database, keys, known["id"], clock.now())


async def _add(database: Database, keys: Keys, wish: Wish, say: Say) -> str | None:
    groups = await _find_groups(database, wish, say)
    if groups is None:
        return None
    path = await authenticating.create_account(
        database, keys, wish.email, wish.name, wish.role, groups, clock.now()
    )
    say(f"added: {wish.email} as {wish.role}")
    return path


async def _find_groups(database: Database, wish: Wish, say: Say) -> list[UUID] | None:
    rows = await database.fetch(_GROUPS, list(wish.groups))
    found = {row["slug"]: row["id"] for row in rows}
    missing = [slug for slug in wish.groups if slug not in found]
    if missing:
        say(f"PROBLEM no group is called {', '.join(missing)}; nothing was added")
        return None
    if wish.role is Role.LEAD and not found:
        say("PROBLEM a lead needs --group; nothing was added")
        return None
    return list(found.values())
