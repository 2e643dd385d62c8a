"""Prototypes by what they were composed from, kept in the process and once in the database."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import TypeVar

from notifications import letters
from notifications.clerk import Clerk
from notifications.leases import Claimed
from notifications.letters import Prototype, Sender
from notifications.storage import Database

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")

CACHE_LIMIT = 256
STORED_AGAIN_SECONDS = 24 * 60 * 60.0
"""A stored prototype says once a day that it is in use; what is not for weeks is forgotten."""

FULL_GATE_EVERY = 100

_STORE = """
INSERT INTO prototype (sha256, kind, locale, subject_id, subject_rev, segments)
VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (sha256) DO UPDATE SET used_at = now()
"""


class UnknownPrototypeError(Exception):
    """The prototype that a letter was frozen with is gone or differs."""


class Shelf:
    """Looks prototypes up, composes missing ones once, and remembers which need the full gate."""

    def __init__(
        self,
        database: Database,
        clerk: Clerk,
        sender: Sender,
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._clerk = clerk
        self._sender = sender
        self._ticks = ticks
        self._by_key: OrderedDict[Hashable, tuple[Prototype, str, float]] = OrderedDict()
        self._by_sha: OrderedDict[bytes, Prototype] = OrderedDict()
        self._uses: Counter[bytes] = Counter()

    async def composed(self, key: Hashable, letter: Claimed) -> Prototype:
        """Return the prototype of a key, composed and stored on its first use.

        What the draft says of its language counts: it may be chosen until the letter is written.
        """
        cache_key = (key, letter.locale)
        found, locale, stored_tick = self._by_key.get(cache_key, (None, "", 0.0))
        if found is None:
            draft = await self._clerk.compose(key)
            locale = draft.locale or letter.locale
            found = letters.prototype(draft, self._sender, locale)
        elif self._ticks() - stored_tick < STORED_AGAIN_SECONDS:
            return found
        await self._store(found, letter, locale)
        _remember(self._by_key, cache_key, (found, locale, self._ticks()))
        return found

    async def _store(self, found: Prototype, letter: Claimed, locale: str) -> None:
        await self._database.fetch(
            _STORE,
            found.sha256,
            letter.kind,
            locale,
            letter.subject_id,
            letter.subject_rev,
            found.as_json(),
        )

    async def frozen(self, sha256: bytes) -> Prototype:
        """Return the stored prototype of a letter that was marked before."""
        found = self._by_sha.get(sha256)
        if found is None:
            sql = "SELECT segments FROM prototype WHERE sha256 = $1"
            stored = await self._database.fetchval(sql, sha256)
            if stored is None:
                raise UnknownPrototypeError
            found = letters.from_json(stored)
            if found.sha256 != sha256:
                raise UnknownPrototypeError
            _remember(self._by_sha, sha256, found)
        return found

    def wants_full_gate(self, prototype: Prototype) -> bool:
        """Tell for each use whether it is the first of its prototype, or one in a hundred."""
        uses = self._uses[prototype.sha256]
        self._uses[prototype.sha256] = uses + 1
        return uses % FULL_GATE_EVERY == 0


def _remember(cache: "OrderedDict[Key, Value]", key: Key, found: Value) -> None:
    cache[key] = found
    if len(cache) > CACHE_LIMIT:
        cache.popitem(last=False)
