"""Sign in by a letter, and out again. Every address gets the same pages in the same time."""

import asyncio
import time
from datetime import timedelta
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import authenticating, keeping_sessions, limiting, tokens
from service.domain.errors import (
    CodeWrongError,
    LinkExpiredError,
    LinkReplacedError,
    LinkUnknownError,
    LinkUsedError,
    TooManyTriesError,
)
from service.limiting import Limit
from service.pages import dates
from service.services import Services
from service.web import cookies, forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

# An address with access costs a letter, one without does not; both take at least this long.
LEAST_SECONDS = 0.25
PER_NETWORK = Limit("sign_in", 20, timedelta(hours=1))
CODES_PER_NETWORK = Limit("sign_in_code", 60, timedelta(hours=1))

REQUEST_FIELDS = (
    Field("email", kind="email", label="signin.email", required=True, most=254),
    Field("weiter"),
)
CODE_FIELDS = (
    Field("code", label="signin.code", required=True, most=12),
    Field("email", kind="email", most=254),
    Field("weiter"),
)
_PUBLIC = {"policy": Policy.PUBLIC, "while_setting_up": True}
_LINK = {"policy": Policy.TOKEN, "while_setting_up": True}

LinkError = LinkUnknownError | LinkUsedError | LinkExpiredError | LinkReplacedError
_LINK_ERRORS = (LinkUnknownError, LinkUsedError, LinkExpiredError, LinkReplacedError)
AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/anmelden", opt=_PUBLIC)
async def show_sign_in(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show the form that asks for a letter."""
    query = forms.read_query(request, (Field("weiter"), Field("abgemeldet")))
    notice = visitor.t("signin.signed_out") if query["abgemeldet"] else None
    return _ask(services, visitor, forms.empty(visitor), next_path=query["weiter"], notice=notice)


@post("/anmelden", opt=_PUBLIC)
async def request_link(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Post the letter if the address has access, and say the same in any case."""
    started = time.monotonic()
    form = await forms.read(request, REQUEST_FIELDS)
    if form.is_valid:
        await _check_limit(services, visitor, form, PER_NETWORK)
    if not form.is_valid:
        return _ask(services, visitor, form, next_path=form["weiter"])
    browser = tokens.draw_secret()
    await authenticating.request_link(
        services.database, services.keys, form["email"], browser, visitor.now
    )
    answer = _sent(services, visitor, forms.empty(visitor), form["email"], form["weiter"])
    life = int(authenticating.LINK_LIFE.total_seconds())
    answer.set_cookie(cookies.browser(services.settings, browser, life))
    await asyncio.sleep(LEAST_SECONDS - (time.monotonic() - started))
    return answer


@post("/anmelden/code", opt=_PUBLIC)
async def use_code(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Sign in by the six digits, in the browser that asked for them."""
    form = await forms.read(request, CODE_FIELDS)
    if form.is_valid:
        await _check_limit(services, visitor, form, CODES_PER_NETWORK)
    secret = None
    if form.is_valid:
        secret = await _try_code(request, services, visitor, form)
    if secret is None:
        return _sent(services, visitor, form, form["email"] or "", form["weiter"] or "")
    return _welcome(services, visitor, secret, form["weiter"])


@get("/anmelden/l/{token:str}", opt=_LINK)
async def show_link(
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show whom the link would sign in; programs that fetch links use nothing up."""
    try:
        known = await authenticating.look_up_link(services.database, token, visitor.now)
    except _LINK_ERRORS as error:
        return _refuse_link(services, visitor, error)
    return respond.page(
        services, visitor, "staff/sign_in_link.html", address=known.email, token=token
    )


@post("/anmelden/l/{token:str}", opt=_LINK | {"form": True})
async def use_link(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Use the link up and open a session; a form that was open too long is shown again."""
    form = await forms.read(request, ())
    try:
        known = await authenticating.look_up_link(services.database, token, visitor.now)
        if not form.is_valid:
            return respond.page(
                services,
                visitor,
                "staff/sign_in_link.html",
                form=form,
                address=known.email,
                token=token,
            )
        old = _old_session(request, services)
        secret = await authenticating.use_link(services.database, token, old, visitor.now)
    except _LINK_ERRORS as error:
        return _refuse_link(services, visitor, error)
    return _welcome(services, visitor, secret, "")


@post("/abmelden", opt={"policy": Policy.STAFF})
async def sign_out(services: NamedDependency[Services], visitor: NamedDependency[Visitor]) -> Page:
    """End this browser's session on the server, then drop its cookie."""
    if visitor.session is not None:
        await keeping_sessions.end(services.database, visitor.session, visitor.now)
    answer = respond.see_other(visitor, "/anmelden?abgemeldet=1")
    name = cookies.session_name(services.settings)
    answer.set_cookie(cookies.removed(services.settings, name))
    return answer


async def _try_code(
    request: AnyRequest, services: Services, visitor: Visitor, form: Form
) -> str | None:
    """Return the secret of a new session, or None with the reason in the form."""
    browser = request.cookies.get(cookies.browser_name(services.settings), "")
    try:
        return await authenticating.use_code(
            services.database,
            services.keys,
            browser_secret=browser,
            code=form["code"],
            old_session=_old_session(request, services),
            now=visitor.now,
        )
    except CodeWrongError as error:
        form.refuse("code", "signin.code_wrong", n=error.values["left"])
    except TooManyTriesError:
        form.refuse("code", "signin.code_spent")
    except LinkUnknownError:
        form.refuse("code", "signin.code_unknown")
    except (LinkUsedError, LinkExpiredError, LinkReplacedError) as error:
        form.errors["code"] = _say(visitor, error)
    return None


async def _check_limit(services: Services, visitor: Visitor, form: Form, limit: Limit) -> None:
    """Count a hit of this network; addresses have their own limit, which says nothing."""
    network = limiting.network_key(services.keys, visitor.network, visitor.now)
    again_at = await limiting.take(services.database, limit, network, visitor.now)
    if again_at is not None:
        form.refuse("", "err.too_many", time=dates.format_clock(again_at, visitor.locale))


def _ask(
    services: Services,
    visitor: Visitor,
    form: Form,
    *,
    next_path: str = "",
    notice: str | None = None,
    notice_kind: str = "info",
    status: int = 200,
) -> Page:
    return respond.page(
        services,
        visitor,
        "staff/sign_in.html",
        status,
        form=form,
        next_path=next_path or "",
        notice=notice,
        notice_kind=notice_kind,
    )


def _sent(services: Services, visitor: Visitor, form: Form, address: str, next_path: str) -> Page:
    return respond.page(
        services,
        visitor,
        "staff/sign_in_sent.html",
        form=form,
        address=address,
        next_path=next_path,
    )


def _refuse_link(services: Services, visitor: Visitor, error: LinkError) -> Page:
    status = 404 if isinstance(error, LinkUnknownError) else 410
    return _ask(
        services,
        visitor,
        forms.empty(visitor),
        notice=_say(visitor, error),
        notice_kind="warning",
        status=status,
    )


def _say(visitor: Visitor, error: LinkError) -> str:
    if isinstance(error, LinkExpiredError):
        until = dates.format_moment(error.values["until"], visitor.locale)
        return visitor.t("signin.link_expired", time=until)
    return visitor.t(f"signin.{error.code}")


def _welcome(services: Services, visitor: Visitor, secret: str, next_path: str) -> Page:
    """Send the new session's cookie once; the page asked for must be one of the office's."""
    is_office = next_path.startswith("/buero") and respond.is_local(next_path)
    answer = respond.see_other(visitor, next_path if is_office else "/buero")
    answer.set_cookie(cookies.session(services.settings, secret))
    name = cookies.browser_name(services.settings)
    answer.set_cookie(cookies.removed(services.settings, name))
    return answer


def _old_session(request: AnyRequest, services: Services) -> str | None:
    return request.cookies.get(cookies.session_name(services.settings))


ROUTES = [show_sign_in, request_link, use_code, show_link, use_link, sign_out]
