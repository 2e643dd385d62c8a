"""Make responses: a page in the visitor's language, a redirect to one of our own addresses."""

import re
from typing import Any
from urllib.parse import quote

from litestar.response import Response

from service.pages.rendering import localised
from service.services import Services
from service.web.visitors import Visitor

_HTML = "text/html; charset=utf-8"
# No second slash, no backslash, nothing that browsers drop before they read an address.
_LOCAL = re.compile(r"/(?!/)[!-\[\]-~]*")
# Letters of our own texts in a query are written as headers can carry them.
_KEPT = "/?&=#%:@!$'()*+,;~\\ \t\r\n"


def page(
    services: Services, visitor: Visitor, template: str, status: int = 200, **context: Any
) -> Response[bytes]:
    """Render a template: `form` with errors makes it 422 unless the status says otherwise."""
    form = context.get("form")
    if status == 200 and form is not None and any(form.errors.values()):  # noqa: PLR2004
        status = 422
    body = services.pages.render(template, visitor.locale, **{**_frame(visitor), **context})
    return Response(body.encode(), status_code=status, headers={"content-type": _HTML})


def see_other(visitor: Visitor, path: str) -> Response[bytes]:
    """Redirect after a POST to one of our own paths (without language), never to another site."""
    ours = quote(path, safe=_KEPT)
    target = localised(ours if is_local(ours) else "/", visitor.locale)
    return Response(b"", status_code=303, headers={"location": target, "content-type": _HTML})


def is_local(path: str) -> bool:
    """Tell whether an address is a path of ours: one slash first, no tricks of other sites."""
    return _LOCAL.fullmatch(path) is not None


def _frame(visitor: Visitor) -> dict[str, Any]:
    return {
        "path": visitor.path,
        "instance": visitor.furnishing.instance,
        "furnishing": visitor.furnishing,
        "visitor": visitor,
        "ft": visitor.form_token,
        "private": visitor.is_private,
        "office": _office(visitor),
    }


def _office(visitor: Visitor) -> dict[str, Any] | None:
    account = visitor.account
    if account is None:
        return None
    return {
        "name": account.full_name,
        "role": visitor.t(f"role.{account.role}"),
        "form_guard": visitor.form_token,
        "is_office": account.is_office,
    }
