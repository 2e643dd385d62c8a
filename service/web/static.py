"""Static files from memory: hashed addresses for ever, everything revalidated by its ETag."""

from typing import Any

from litestar import Request, get
from litestar.response import Response

from service.domain.errors import NotFoundError
from service.pages import assets
from service.pages.assets import Asset
from service.web.compressing import accepts_gzip
from service.web.policy import Policy

_OPT = {"policy": Policy.PUBLIC, "while_setting_up": True, "one_language": True}
# Feeds stay open: calendar importers of large providers obey this file.
_ROBOTS = b"User-agent: *\nDisallow: /buero\nDisallow: /anmelden\nDisallow: /a/\n"

AnyRequest = Request[Any, Any, Any]


@get("/static/{rest:path}", opt=_OPT)
async def show_file(request: AnyRequest) -> Response[bytes]:
    """Serve one of the known files; the disk is not asked, so no path leads out of the folder."""
    return _serve(request, request.url.path)


@get(["/favicon.ico", "/favicon.svg"], opt=_OPT)
async def show_icon(request: AnyRequest) -> Response[bytes]:
    """Serve the icon where browsers look for it."""
    return _serve(request, request.url.path)


@get("/robots.txt", opt=_OPT)
async def show_robots() -> Response[bytes]:
    """Keep machines away from what is not public."""
    return Response(_ROBOTS, headers={"content-type": "text/plain; charset=utf-8"})


def _serve(request: AnyRequest, path: str) -> Response[bytes]:
    asset = assets.find(path)
    if asset is None:
        raise NotFoundError
    headers = {
        "content-type": asset.content_type,
        "cache-control": asset.cache_control,
        "etag": asset.etag,
    }
    if asset.gzip_body is not None:
        headers["vary"] = "accept-encoding"
    if _is_known(request, asset):
        return Response(b"", status_code=304, headers=headers)
    if asset.gzip_body is not None and accepts_gzip(request.scope["headers"]):
        return Response(asset.gzip_body, headers={**headers, "content-encoding": "gzip"})
    return Response(asset.body, headers=headers)


def _is_known(request: AnyRequest, asset: Asset) -> bool:
    """Compare weakly (RFC 9110, section 13.1.2): proxies that compress mark tags as weak."""
    known = request.headers.get("if-none-match", "")
    tags = [tag.strip().removeprefix("W/") for tag in known.split(",")]
    return asset.etag in tags or "*" in tags


ROUTES = [show_file, show_icon, show_robots]
