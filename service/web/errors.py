"""Turn whatever goes wrong into a page of ours, or into problem+json for machines.

Nothing of the request is shown: neither its path nor what the framework says about it.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import msgspec
import structlog
from litestar import Request
from litestar.exceptions import HTTPException, SerializationException
from litestar.response import Response

from service import furnishing, limiting
from service.domain import errors as domain
from service.engine import OUTAGES
from service.footprints import MISSES, MISSES_PER
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.services import Services
from service.web import respond
from service.web.refusals import ForeignFormError, FormExpiredError, SignInNeededError
from service.web.visitors import FACTS, VISITOR, Facts, Visitor, unknown

_log = structlog.get_logger(__name__)
AnyRequest = Request[Any, Any, Any]

# Each class of refusal has its status here; subclasses take the nearest ancestor's.
STATUS: Mapping[type[Exception], int] = {
    domain.NotFoundError: 404,
    domain.LinkUnknownError: 404,
    domain.LinkReplacedError: 410,
    domain.LinkExpiredError: 410,
    domain.LinkUsedError: 410,
    domain.StaleFormError: 409,
    domain.IllegalMoveError: 409,
    domain.FieldsError: 422,
    domain.AnsweringClosedError: 409,
    domain.SeatsTakenError: 409,
    domain.MeetingChangedError: 409,
    domain.TooManyTriesError: 429,
    domain.NotAllowedError: 403,
    domain.NotReadyError: 503,
    domain.CodeWrongError: 422,
    domain.DomainError: 409,
}
_RETRY_SECONDS = "30"
_NEXT_MISS_SECONDS = str(int(MISSES_PER.total_seconds() // MISSES))

_PAGE_OF_STATUS = {
    400: "bad_request",
    401: "not_allowed",
    403: "not_allowed",
    404: "not_found",
    405: "method",
    410: "gone",
    411: "no_length",
    413: "too_large",
    415: "bad_request",
    422: "bad_request",
    429: "too_many",
    503: "maintenance",
}


def status_of(error: domain.DomainError) -> int:
    """Return the HTTP status of a domain error by its nearest listed ancestor."""
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def show_dead_link(
    services: Services,
    visitor: Visitor,
    error: domain.DomainError,
    *,
    heading: str,
    text: str,
) -> Response[bytes]:
    """Show the page of a link that opens nothing, with the way to new ones.

    `heading` and `text` name the part of the catalogue that has the words for it. Whoever tries
    many unknown links is told to wait; links that are known, or were, always open.
    """
    if isinstance(error, domain.LinkUnknownError) and not _may_miss(services, visitor):
        response = render_page(services, visitor, 429, "too_many")
        response.headers["retry-after"] = _NEXT_MISS_SECONDS
        return response
    when = error.values.get("until") or error.values.get("renewed_at")
    return respond.page(
        services,
        visitor,
        "replies/link.html",
        status_of(error),
        heading=visitor.t(f"{heading}.{error.code}"),
        text=visitor.t(
            f"{text}.{error.code}_text",
            date=dates.format_short_date(when, visitor.locale) if when else "",
        ),
    )


def _may_miss(services: Services, visitor: Visitor) -> bool:
    """Count an unknown link, in memory: a row written each time would cost us more than them."""
    network = limiting.network_key(services.keys, visitor.network, visitor.now)
    return services.footprints.misses.take(network, visitor.now)


def answer_domain_error(request: AnyRequest, error: domain.DomainError) -> Response[bytes]:
    """Answer a refusal of the domain that its handler did not show itself."""
    code = "setting_up" if isinstance(error, domain.NotReadyError) else error.code
    return _answer(request, status_of(error), code)


def answer_http_error(request: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer what the router and the parsers refuse."""
    status = error.status_code
    if status >= 500:  # noqa: PLR2004
        return answer_failure(request, error)
    allowed = {key: value for key, value in (error.headers or {}).items() if key.lower() == "allow"}
    return _answer(request, status, _PAGE_OF_STATUS.get(status, "bad_request"), allowed)


def answer_bad_input(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Answer input that no reader of ours can take: bad encodings, endless nesting."""
    _log.info("request.unreadable", kind=type(error).__name__)
    return _answer(request, 400, "bad_request")


def answer_foreign_form(request: AnyRequest, _: Exception) -> Response[bytes]:
    """Answer a form of another site."""
    return _answer(request, 403, "foreign_form")


def answer_expired_form(request: AnyRequest, _: Exception) -> Response[bytes]:
    """Answer an old form on a page that has nothing typed to show again."""
    return _answer(request, 403, "form_expired")


def answer_anonymous(request: AnyRequest, _: Exception) -> Response[bytes]:
    """Send a reader to the sign-in page; a sender keeps what stands in the browser's form."""
    if request.method != "GET":
        return _answer(request, 403, "session_ended")
    facts = _facts(request)
    target = localised("/anmelden", facts.locale)
    if respond.is_local(facts.path) and facts.path != "/buero":
        target += f"?weiter={quote(facts.path, safe='/')}"
    return Response(b"", status_code=303, headers={"location": target})


def answer_failure(request: AnyRequest, error: Exception) -> Response[bytes]:
    """Log a defect with its reference and answer 500, or 503 while the database is away."""
    facts = _facts(request)
    template = request.scope.get("path_template", "")
    if isinstance(error, OUTAGES):
        _log.warning("request.outage", route=template, kind=type(error).__name__)
        return _answer(request, 503, "maintenance")
    _log.error("request.failed", route=template, request_id=facts.request_id, exc_info=error)
    return _answer(request, 500, "failed")


HANDLERS: Mapping[int | type[Exception], Any] = {
    domain.DomainError: answer_domain_error,
    HTTPException: answer_http_error,
    RecursionError: answer_bad_input,
    UnicodeError: answer_bad_input,
    SerializationException: answer_bad_input,
    ForeignFormError: answer_foreign_form,
    FormExpiredError: answer_expired_form,
    SignInNeededError: answer_anonymous,
    Exception: answer_failure,
}


def problem(status: int, code: str) -> Response[bytes]:
    """Make a problem document (RFC 9457) with a stable type and no word of the request."""
    title = texts("en").t(f"error.{code}")
    body = {"type": f"urn:terminbuch:problem:{code}", "title": title, "status": status}
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        headers={"content-type": "application/problem+json"},
    )


def render_page(services: Services, visitor: Visitor, status: int, code: str) -> Response[bytes]:
    """Render the page of an error; `error.<code>` and `error.<code>_text` are its texts."""
    reference = visitor.request_id if status >= 500 and code == "failed" else None  # noqa: PLR2004
    return respond.page(
        services,
        visitor,
        "errors/error.html",
        status,
        heading_text=visitor.t(f"error.{code}"),
        paragraphs=[visitor.t(f"error.{code}_text")],
        reference=reference,
        office=None,
    )


def _answer(
    request: AnyRequest, status: int, code: str, headers: Mapping[str, str] | None = None
) -> Response[bytes]:
    if _is_for_machines(request):
        response = problem(status, code)
    else:
        response = render_page(request.app.state.services, _visitor(request), status, code)
    response.headers.update(headers or {})
    if status in {429, 503}:
        response.headers["retry-after"] = _RETRY_SECONDS
    return response


def _is_for_machines(request: AnyRequest) -> bool:
    return _facts(request).path.startswith(("/health/", "/ics/"))


def _facts(request: AnyRequest) -> Facts:
    return request.scope[FACTS]  # type: ignore[literal-required, no-any-return]


def _visitor(request: AnyRequest) -> Visitor:
    known = request.scope.get(VISITOR)
    if isinstance(known, Visitor):
        return known
    services: Services = request.app.state.services
    last = furnishing.last_known(services.database)
    return unknown(_facts(request), last, services.clock())
