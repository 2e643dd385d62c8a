"""The one place that decides whether a request may reach its handler."""

from typing import Any, cast
from urllib.parse import urlsplit

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from service import furnishing, keeping_sessions
from service.domain.errors import NotAllowedError, NotReadyError
from service.keeping_sessions import Session
from service.services import Services
from service.web import cookies, form_tokens
from service.web.forms import EXPIRED
from service.web.policy import SAFE_METHODS, SIGNED_IN, Policy, allows, policy_of
from service.web.refusals import ForeignFormError, FormExpiredError, SignInNeededError
from service.web.visitors import FACTS, VISITOR, Facts, Visitor, token_form_secrets

Connection = ASGIConnection[Any, Any, Any, Any]


async def guard(connection: Connection, handler: BaseRouteHandler) -> None:
    """Let a request pass by its route's policy, or raise; leaves the visitor in the scope."""
    services: Services = connection.app.state.services
    policy = policy_of(handler)
    known = await furnishing.look(services.database) if policy is not Policy.HEALTH else None
    if known is not None and not known.is_ready and not _opens_early(policy, handler):
        raise NotReadyError
    visitor = await _make_visitor(services, connection, policy, known)
    connection.scope[VISITOR] = visitor  # type: ignore[literal-required]
    method = connection.scope["method"]  # type: ignore[typeddict-item]
    if policy in SIGNED_IN:
        _check_account(visitor, policy, method)
    # What one press in a mail program may do, it may do from anywhere (RFC 8058 section 3.1).
    if method not in SAFE_METHODS and not handler.opt.get("one_click"):
        _check_origin(connection, policy, services.settings.public_url)
        await _check_form(connection, handler, visitor)


def _opens_early(policy: Policy, handler: BaseRouteHandler) -> bool:
    return policy in SIGNED_IN or bool(handler.opt.get("while_setting_up"))


async def _make_visitor(
    services: Services,
    connection: Connection,
    policy: Policy,
    known: furnishing.Furnishing | None,
) -> Visitor:
    facts: Facts = connection.scope[FACTS]  # type: ignore[literal-required]
    now = services.clock()
    session = None
    secrets: tuple[bytes, ...] = ()
    if policy in SIGNED_IN:
        session = await _find_session(services, connection)
        secrets = (session.form_key,) if session else ()
    elif policy is Policy.TOKEN:
        token = str(connection.path_params.get("token", ""))
        secrets = token_form_secrets(services.keys, token)
    client = connection.client
    return Visitor(
        locale=facts.locale,
        path=facts.path,
        now=now,
        furnishing=known or furnishing.UNFURNISHED,
        request_id=facts.request_id,
        session=session,
        is_private=policy is not Policy.PUBLIC,
        form_secrets=secrets,
        network=client.host if client else None,
    )


async def _find_session(services: Services, connection: Connection) -> Session | None:
    secret = connection.cookies.get(cookies.session_name(services.settings))
    if not secret:
        return None
    return await keeping_sessions.find(services.database, secret, services.clock())


def _check_account(visitor: Visitor, policy: Policy, method: str) -> None:
    if visitor.account is None:
        raise SignInNeededError
    if not allows(policy, visitor.account, method):
        raise NotAllowedError


def _check_origin(connection: Connection, policy: Policy, public_url: str) -> None:
    """Refuse forms of other sites; `Origin` of token pages is "null" by their referrer policy."""
    site = connection.headers.get("sec-fetch-site")
    if policy not in SIGNED_IN:
        if site == "cross-site":
            raise ForeignFormError
        return
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise ForeignFormError
        return
    if connection.headers.get("origin") != origin_of(public_url):
        raise ForeignFormError


def origin_of(url: str) -> str:
    """Return the origin of an address (RFC 6454)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


async def _check_form(connection: Connection, handler: BaseRouteHandler, visitor: Visitor) -> None:
    """Check the form token; a handler that shows its form again is told, any other is not run."""
    if not visitor.form_secrets:
        return
    posted = await cast("Request[Any, Any, Any]", connection).form()
    if form_tokens.is_fresh(str(posted.get("ft", "")), visitor.form_secrets, visitor.now):
        return
    if not handler.opt.get("form"):
        raise FormExpiredError
    connection.scope[EXPIRED] = True  # type: ignore[literal-required]
