"""Write down the links that somebody lost: answers that are open, calendars, their choices.

Bytes that somebody may have leave again as they were, whatever was renewed since: what their links
are made of is kept with them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

from service import feed_paths, tailoring, tokens
from service.feed_paths import Address
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.services import Services
from service.tables import letter_statements
from service.tokens import Purpose


@dataclass(frozen=True, slots=True)
class Shape:
    """How many links of each sort a letter has: open answers, then what lasts."""

    asks: int = 0
    lasting: int = 0

    @property
    def slots(self) -> list[str]:
        """Name the gaps of all labels in order; that of an address has `link_` in front."""
        return [*self.asked, *self.kept]

    @property
    def asked(self) -> list[str]:
        """Name the gaps of the open answers."""
        return [f"open_{number}" for number in range(1, self.asks + 1)]

    @property
    def kept(self) -> list[str]:
        """Name the gaps of what lasts: calendars and the choices for them."""
        return [f"own_{number}" for number in range(1, self.lasting + 1)]


@dataclass(frozen=True, slots=True)
class Root:
    """What a link is derived from with the server's key; without that it opens nothing."""

    purpose: Purpose
    handle: UUID
    epoch: int

    def __str__(self) -> str:
        return f"{self.purpose}:{self.handle.hex}:{self.epoch}"

    @classmethod
    def read(cls, written: str) -> Self:
        """Read what was written by `str`."""
        purpose, handle, epoch = written.split(":")
        return cls(Purpose(purpose), UUID(handle), int(epoch))


@dataclass(frozen=True, slots=True)
class Found:
    """The links of everybody who shares an address: their words and roots by the gaps' names."""

    shape: Shape
    labels: Mapping[str, str] = field(default_factory=dict)
    roots: Mapping[str, Root] = field(default_factory=dict)


def fill(
    services: Services, roots: Mapping[str, Root], kept: str | None, locale: str
) -> dict[str, str]:
    """Return the links of a letter as values, and what to keep of them.

    `kept` is what was kept with bytes that somebody may have: then the links are those of then.
    """
    if kept is not None:
        pairs = (one.partition("=") for one in kept.split())
        roots = {name: Root.read(written) for name, _, written in pairs}
    links = {f"link_{name}": address_of(services, root, locale) for name, root in roots.items()}
    return links | {"roots": " ".join(f"{name}={root}" for name, root in roots.items())}


def answer_address(services: Services, handle: UUID, epoch: int, locale: str) -> str:
    """Return the address of the page on which one invitation is answered."""
    return address_of(services, Root(Purpose.ANSWER, handle, epoch), locale)


def address_of(services: Services, root: Root, locale: str) -> str:
    """Return the address of a page, or of a personal calendar."""
    token = tokens.derive(services.keys, root.purpose, root.handle, root.epoch)
    path = _PATHS[root.purpose](token)
    # A link of the other language opens the same; a calendar has one address in all of them.
    own = path if root.purpose is Purpose.FEED else localised(path, locale)
    return f"{services.settings.public_url}{own}"


_PATHS: Mapping[Purpose, Callable[[str], str]] = {
    Purpose.ANSWER: "/a/{}".format,
    Purpose.FEED: lambda token: feed_paths.address_path(Address("personal", token)),
    Purpose.CALENDAR_PAGE: tailoring.page_path,
}


async def find(services: Services, person_id: UUID, locale: str) -> Found:
    """Return the links of everybody who shares the person's address, each under its name."""
    asked = await services.database.fetch(letter_statements.OPEN_LINKS, person_id)
    rows = [_open_link(one, locale) for one in asked]
    own = await _own_calendars(services, person_id, locale)
    shape = Shape(len(rows), len(own))
    named = list(zip(shape.slots, [*rows, *own], strict=True))
    return Found(
        shape,
        {name: label for name, (label, _) in named},
        {name: root for name, (_, root) in named},
    )


def _open_link(link: Mapping[str, Any], locale: str) -> tuple[str, Root]:
    starts = link["starts_local"]
    day = f", {dates.format_short_date(starts.date(), locale)}" if starts else ""
    root = Root(Purpose.ANSWER, link["handle"], link["epoch"])
    return f"{link['full_name']}, {link['title']}{day}", root


async def _own_calendars(
    services: Services, person_id: UUID, locale: str
) -> list[tuple[str, Root]]:
    """Return the calendar address of everybody who shares the address; it opens without more."""
    t = texts(locale).t
    rows = []
    for own in await services.database.fetch(letter_statements.SHARED_CALENDARS, person_id):
        name, handle, epoch = own["full_name"], own["handle"], own["epoch"]
        calendar = Root(Purpose.FEED, handle, epoch)
        rows.append((f"{name}, {t('letter.lost_links.calendar')}", calendar))
        page = Root(Purpose.CALENDAR_PAGE, handle, epoch)
        rows.append((f"{name}, {t('mycal.letter')}", page))
    return rows
