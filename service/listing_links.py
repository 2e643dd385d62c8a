"""Write down the links that somebody lost: answers that are open, calendars, their choices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from service import subscribing, tailoring, tokens
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
class Found:
    """The links of everybody who shares an address, as values of the gaps."""

    shape: Shape
    labels: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


def answer_address(services: Services, handle: UUID, epoch: int, locale: str) -> str:
    """Return the address of the page on which one invitation is answered."""
    token = tokens.derive(services.keys, Purpose.ANSWER, handle, epoch)
    return f"{services.settings.public_url}{localised(f'/a/{token}', locale)}"


async def find(services: Services, person_id: UUID, locale: str) -> Found:
    """Return the links of everybody who shares the person's address, each under its name."""
    asked = await services.database.fetch(letter_statements.OPEN_LINKS, person_id)
    rows = [_open_link(services, one, locale) for one in asked]
    own = await _own_calendars(services, person_id, locale)
    shape = Shape(len(rows), len(own))
    named = list(zip(shape.slots, [*rows, *own], strict=True))
    return Found(
        shape,
        {name: label for name, (label, _) in named},
        {f"link_{name}": address for name, (_, address) in named},
    )


def _open_link(services: Services, link: Mapping[str, Any], locale: str) -> tuple[str, str]:
    starts = link["starts_local"]
    day = f", {dates.format_short_date(starts.date(), locale)}" if starts else ""
    address = answer_address(services, link["handle"], link["epoch"], locale)
    return f"{link['full_name']}, {link['title']}{day}", address


async def _own_calendars(services: Services, person_id: UUID, locale: str) -> list[tuple[str, str]]:
    """Return the calendar address of everybody who shares the address; it opens without more."""
    database, keys, public_url = services.database, services.keys, services.settings.public_url
    t = texts(locale).t
    rows = []
    for person in await database.fetch(letter_statements.SHARING, person_id):
        name = person["full_name"]
        own = await subscribing.find_personal(database, keys, person["id"])
        if own is None:
            continue
        rows.append((f"{name}, {t('letter.lost_links.calendar')}", f"{public_url}{own.path}"))
        page = await tailoring.find_page(database, keys, person["id"])
        if page is not None:
            # A link of the other language opens the same choices.
            address = f"{public_url}{localised(page, locale)}"
            rows.append((f"{name}, {t('mycal.letter')}", address))
    return rows
