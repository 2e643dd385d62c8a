"""The headers that every answer carries, whoever made it."""

from collections.abc import Iterable, Mapping
from typing import Any

from service.web.policy import Policy
from service.web.visitors import Facts

Header = tuple[bytes, bytes]

# `data:` is there for the icons in the design system's style sheet.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_ALWAYS: tuple[Header, ...] = (
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
    (b"cross-origin-opener-policy", b"same-origin"),
)
_TWO_YEARS: Header = (b"strict-transport-security", b"max-age=63072000; includeSubDomains")
# Addresses with a secret inside: the next site must not learn them.
_SECRET_PATHS = ("/a/", "/b/", "/u/", "/meine/", "/umfrage/", "/anmelden/l/", "/ics/p/", "/ics/b/")
_OFFICE_PATHS = ("/buero", "/anmelden", "/abmelden")


def add_headers(
    headers: Iterable[Header], facts: Facts, scope: Mapping[str, Any], *, is_local: bool
) -> list[Header]:
    """Return the headers of an answer with ours added; one that is set already stays as it is."""
    given = [(bytes(key).lower(), bytes(value)) for key, value in headers]
    names = {key for key, _ in given}
    ours = [*_ALWAYS, (b"x-request-id", facts.request_id.encode())]
    ours += _secrecy(facts.path, scope)
    if not is_local:
        ours.append(_TWO_YEARS)
    return given + [(key, value) for key, value in ours if key not in names]


def _secrecy(path: str, scope: Mapping[str, Any]) -> list[Header]:
    policy = _policy(scope)
    holds_secret = policy is Policy.TOKEN or path.startswith(_SECRET_PATHS)
    referrer = (b"referrer-policy", b"no-referrer" if holds_secret else b"same-origin")
    is_private = holds_secret or policy is not Policy.PUBLIC or path.startswith(_OFFICE_PATHS)
    if is_private:
        return [referrer, (b"cache-control", b"no-store"), (b"x-robots-tag", b"noindex")]
    return [referrer, (b"cache-control", b"no-cache")]


def _policy(scope: Mapping[str, Any]) -> object:
    handler = scope.get("route_handler")
    return None if handler is None else handler.opt.get("policy")
