"""Say that somebody else saved meanwhile, and keep filters in links."""

from collections.abc import Mapping
from urllib.parse import urlencode

from service.domain.errors import StaleFormError
from service.pages.dates import format_clock
from service.web.forms import Form
from service.web.visitors import Visitor


def explain(form: Form, visitor: Visitor, error: StaleFormError, revision: int) -> None:
    """Put the sentence into the form, and let the next press save over the present revision."""
    form.values["revision"] = str(revision)
    form.refuse("", "err.stale", time=format_clock(error.values["at"], visitor.locale))


def query(values: Mapping[str, str]) -> str:
    """Return "?a=b&" so that one more pair can follow."""
    return f"?{urlencode(values)}&" if values else "?"
