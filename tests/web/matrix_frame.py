"""Rows of static files, health, legal pages and settings."""

from collections.abc import Mapping

from tests.web.matrix import Row, World, everybody, signed_in


async def _style(_: World) -> Mapping[str, str]:
    return {"rest": "app.css"}


async def _imprint(_: World) -> Mapping[str, str]:
    return {"kind": "imprint", "spoken": "en"}


_OFFICE = {
    "name": "Bündnis",
    "office_name": "Geschäftsstelle",
    "street": "Weg 1",
    "postcode": "99084",
    "town": "Erfurt",
    "email": "buero@example.org",
    "phone": "0361 1234",
}
_TEXT = "/buero/einstellungen/rechtstexte/{kind:str}/{spoken:str}"

ROWS: dict[tuple[str, str], Row] = {
    # An address without the hash of a release is no file.
    ("GET", "/static/{rest:path}"): everybody(404, make=_style),
    ("GET", "/favicon.ico"): everybody(200),
    ("GET", "/favicon.svg"): everybody(200),
    ("GET", "/robots.txt"): everybody(200),
    ("GET", "/health/live"): everybody(200),
    # No tick has run in the tests.
    ("GET", "/health/ready"): everybody(503),
    ("GET", "/impressum"): everybody(200),
    ("GET", "/datenschutz"): everybody(200),
    ("GET", "/barrierefreiheit"): everybody(200),
    ("GET", "/barriere-melden"): everybody(200),
    ("GET", "/barriere-melden/danke"): everybody(200),
    ("POST", "/barriere-melden"): everybody(422),
    ("GET", "/buero/einstellungen"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=200
    ),
    ("GET", "/buero/einstellungen/geschaeftsstelle"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=200
    ),
    ("POST", "/buero/einstellungen/geschaeftsstelle"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=303, data=_OFFICE, posts=True
    ),
    ("GET", _TEXT): signed_in(reader=403, lead=403, other_lead=403, coordinator=200, make=_imprint),
    ("POST", _TEXT): signed_in(
        reader=403,
        lead=403,
        other_lead=403,
        coordinator=303,
        make=_imprint,
        data={"body": "# Text"},
        posts=True,
    ),
}
