"""The public list as RSS 2.0, all of it or one group's."""

import re
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from xml.etree import ElementTree as ET

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from calendars import texts
from service import embedding, subscribing
from service.domain.errors import NotFoundError
from service.embedding import Block, Choice, Item
from service.pages.rendering import localised
from service.services import Services
from service.web import foreign
from service.web.policy import Policy
from service.web.visitors import Visitor

ALL = "termine"
_SUFFIX = ".rss"
_ATOM = "http://www.w3.org/2005/Atom"
_CONTENT_TYPE = "application/rss+xml; charset=utf-8"
_MINUTES_KEPT = "60"
# More than a reader shows, fewer than it stops to take.
_MOST = 50
# Signs that no XML document may hold, escaped or not (XML 1.0, section 2.2).
_NO_XML = re.compile("[\ufffe\uffff]")


@get("/feeds/{name:str}", opt={"policy": Policy.PUBLIC})
async def show_rss(
    name: FromPath[str],
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Send the coming dates as RSS; `termine.rss` has all, the short name of a group its own."""
    if not name.endswith(_SUFFIX):
        raise NotFoundError
    slug = name.removesuffix(_SUFFIX)
    title, groups = await _channel(services, visitor, slug)
    block = await embedding.list_block(
        services.database,
        Choice(groups=groups, count=_MOST),
        visitor.locale,
        services.settings.public_url,
        visitor.now,
    )
    own = f"{services.settings.public_url}{localised(path_of(slug), visitor.locale)}"
    return foreign.answer(request, _render(block, title, own, visitor), _CONTENT_TYPE)


def path_of(slug: str = ALL) -> str:
    """Return the path of an RSS feed without its language."""
    return f"/feeds/{slug}{_SUFFIX}"


async def _channel(services: Services, visitor: Visitor, slug: str) -> tuple[str, tuple[str, ...]]:
    name = visitor.furnishing.instance.name
    if slug == ALL:
        return visitor.t("rss.title", name=name), ()
    for offer in await subscribing.list_offers(services.database):
        if offer.slug == slug:
            return visitor.t("rss.title_of_group", name=name, group=offer.name), (slug,)
    raise NotFoundError


def _render(block: Block, title: str, own: str, visitor: Visitor) -> bytes:
    """Write the feed; the same dates give the same bytes, or readers would fetch it for ever."""
    ET.register_namespace("atom", _ATOM)
    root = ET.Element("rss", version="2.0")
    channel = ET.SubElement(root, "channel")
    _add(channel, "title", title)
    _add(channel, "link", block.url)
    _add(channel, "description", visitor.t("list.intro"))
    _add(channel, "language", block.locale)
    _add(channel, "ttl", _MINUTES_KEPT)
    if block.items:
        _add(channel, "lastBuildDate", _moment(max(item.changed_at for item in block.items)))
    ET.SubElement(channel, f"{{{_ATOM}}}link", href=own, rel="self", type="application/rss+xml")
    for item in block.items:
        _add_item(channel, item)
    written: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _add_item(channel: ET.Element, item: Item) -> None:
    one = ET.SubElement(channel, "item")
    state = f" ({item.state_text})" if item.state_text else ""
    _add(one, "title", f"{item.title}{state}")
    _add(one, "link", item.url)
    _add(one, "description", item.line)
    for group in item.groups:
        _add(one, "category", group)
    _add(one, "guid", item.uid).set("isPermaLink", "false")
    _add(one, "pubDate", _moment(item.changed_at))


def _add(parent: ET.Element, name: str, text: str) -> ET.Element:
    element = ET.SubElement(parent, name)
    element.text = _NO_XML.sub("", texts.clean(text))
    return element


def _moment(at: datetime) -> str:
    return format_datetime(at.astimezone(UTC).replace(microsecond=0), usegmt=True)


ROUTES = [show_rss]
