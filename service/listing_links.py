"""Write down the links that somebody lost: answers that are open, calendars, their choices."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from service import subscribing, tailoring, tokens
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.services import Services
from service.tables import letter_statements
from service.tokens import Purpose


def answer_address(services: Services, handle: UUID, epoch: int, locale: str) -> str:
    """Return the address of the page on which one invitation is answered."""
    token = tokens.derive(services.keys, Purpose.ANSWER, handle, epoch)
    return f"{services.settings.public_url}{localised(f'/a/{token}', locale)}"


async def write(services: Services, person_id: UUID, locale: str) -> list[str]:
    """Return the open links of everybody who shares the person's address, each under its name."""
    found = await services.database.fetch(letter_statements.OPEN_LINKS, person_id)
    lines = [_open_link(services, link, locale) for link in found]
    lines = lines or [texts(locale).t("letter.lost_links.none")]
    return lines + await _own_calendars(services, person_id, locale)


def _open_link(services: Services, link: Mapping[str, Any], locale: str) -> str:
    starts = link["starts_local"]
    day = f", {dates.format_short_date(starts.date(), locale)}" if starts else ""
    address = answer_address(services, link["handle"], link["epoch"], locale)
    return f"{link['full_name']}: {link['title']}{day}\n{address}"


async def _own_calendars(services: Services, person_id: UUID, locale: str) -> list[str]:
    """Write the calendar address of everybody who shares the address; it opens without more."""
    database, keys, public_url = services.database, services.keys, services.settings.public_url
    label = texts(locale).t("letter.lost_links.calendar")
    lines = []
    for person in await database.fetch(letter_statements.SHARING, person_id):
        own = await subscribing.find_personal(database, keys, person["id"])
        if own is None:
            continue
        lines.append(f"{person['full_name']}: {label}\n{public_url}{own.path}")
        page = await tailoring.find_page(database, keys, person["id"])
        if page is not None:
            # A link of the other language opens the same choices.
            choices = texts(locale).t("mycal.letter")
            address = f"{public_url}{localised(page, locale)}"
            lines.append(f"{person['full_name']}: {choices}\n{address}")
    return lines
