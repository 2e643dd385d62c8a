"""What one process remembers of requests for a while: keyed hashes, in memory alone.

Nothing of it is stored, and no other process knows it. What is forgotten early does no harm: a mark
is missing, or somebody has more tries.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

SPAN = timedelta(seconds=60)
"""How long the fetches of an answer link are remembered."""
# No browser asks by HEAD. A person opens a link once, maybe twice.
FETCHES_OF_A_BURST = 3
MISSES = 60
MISSES_PER = timedelta(hours=1)
"""So many unknown links an hour are looked up for one network."""
_MOST = 10_000
_MOST_FETCHERS = 8


@dataclass(slots=True)
class _Fetches:
    first_at: datetime
    weight: int = 0

    def is_burst(self) -> bool:
        return self.weight >= FETCHES_OF_A_BURST


class Bursts:
    """Who fetched which answer link in the last minute."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._links: OrderedDict[str, dict[bytes, _Fetches]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._links)

    def note(self, link: str, fingerprint: bytes, now: datetime, *, is_head: bool) -> None:
        """Count a fetch; one by HEAD is a burst by itself."""
        fetchers = self._links.setdefault(link, {})
        self._links.move_to_end(link)
        fetches = fetchers.get(fingerprint)
        if fetches is None or now - fetches.first_at > SPAN:
            fetches = fetchers[fingerprint] = _Fetches(now)
        fetches.weight += FETCHES_OF_A_BURST if is_head else 1
        if len(fetchers) > _MOST_FETCHERS:
            del fetchers[next(iter(fetchers))]
        self._forget(now)

    def may_have(self, link: str) -> bool:
        """Tell whether anybody fetched the link in a burst; costs one look."""
        fetchers = self._links.get(link)
        return fetchers is not None and any(each.is_burst() for each in fetchers.values())

    def has(self, link: str, fingerprint: bytes, now: datetime) -> bool:
        """Tell whether this one fetched the link in a burst that began within the last minute."""
        fetches = self._links.get(link, {}).get(fingerprint)
        return fetches is not None and fetches.is_burst() and now - fetches.first_at <= SPAN

    def _forget(self, now: datetime) -> None:
        """Drop what is old, and the oldest where there is too much."""
        while self._links:
            link, fetchers = next(iter(self._links.items()))
            is_old = all(now - each.first_at > SPAN for each in fetchers.values())
            if not is_old and len(self._links) <= self._most:
                return
            del self._links[link]


class Misses:
    """How many unknown links each network has asked for: a bucket that fills again evenly."""

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        self._left: OrderedDict[str, tuple[float, datetime]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._left)

    def take(self, network: str, now: datetime) -> bool:
        """Count one miss; return whether it is among those that an hour allows."""
        left, at = self._left.get(network, (float(MISSES), now))
        left = min(MISSES, left + max(now - at, timedelta(0)) / MISSES_PER * MISSES)
        is_allowed = left >= 1
        self._left[network] = (left - is_allowed, now)
        self._left.move_to_end(network)
        if len(self._left) > self._most:
            self._left.popitem(last=False)
        return is_allowed


@dataclass(frozen=True, slots=True)
class Footprints:
    """All that one process remembers."""

    bursts: Bursts = field(default_factory=Bursts)
    misses: Misses = field(default_factory=Misses)
