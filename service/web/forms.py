"""Read a form by its list of fields: cleaned, parsed, with the sentences for what is wrong.

Only listed names are read. Typed values are kept as they were typed, for showing again; of what is
far too long the beginning.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any
from uuid import UUID

from litestar import Request
from litestar.datastructures import UploadFile

from service import addressing
from service.domain.errors import FieldsError
from service.domain.texts import clean_line, clean_text
from service.pages.catalogue import texts
from service.web.visitors import VISITOR, Visitor

EXPIRED = "terminbuch.form_expired"
# The column type of every number that people type.
_LARGEST_NUMBER = 2_147_483_647
# What is longer than so many times the limit is cleaned in part and not looked at any further.
_ROOM = 4
# "27.3.27" is a year of this century.
_SHORT_YEAR = 100
_DAY = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4}|[0-9]{2})")
_ISO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_CLOCK = re.compile(r"([0-9]{1,2})[:.]([0-9]{2})(?::[0-9]{2})?(?: ?Uhr)?")
_NUMBER = re.compile(r"[+-]?[0-9]{1,10}")
_ID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


@dataclass(frozen=True, slots=True)
class Field:
    """One field: `label` is the text id for sentences about it, `choices` closes its values.

    Kinds: line, text (several lines), email, url, choice, day, clock, number, flag, id, file,
    and the lists many and ids.
    """

    name: str
    kind: str = "line"
    label: str = ""
    required: bool = False
    most: int = 200
    choices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Upload:
    """One sent file, whole in memory: the body limit of its route bounds it."""

    filename: str
    content: bytes


@dataclass(slots=True)
class Form:
    """What was typed, what it means, and what is wrong; errors under "" concern all of it."""

    locale: str
    fields: Mapping[str, Field] = field(default_factory=dict)
    values: dict[str, str | list[str]] = field(default_factory=dict)
    parsed: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str | None] = field(default_factory=dict)
    expired: bool = False

    def __getitem__(self, name: str) -> Any:
        return self.parsed[name]

    @property
    def is_valid(self) -> bool:
        """Tell whether nothing is wrong so far."""
        return not any(self.errors.values())

    def refuse(self, name: str, text: str, /, **values: Any) -> None:
        """Say what is wrong with a field (or with all, under ""), in the visitor's language."""
        if name not in self.errors:
            self.errors[name] = texts(self.locale).t(text, **values)

    def refuse_fields(self, error: FieldsError) -> None:
        """Take over what a use case found wrong."""
        for name, (text, values) in error.fields.items():
            self.refuse(name, text, **values)

    def label_of(self, name: str) -> str:
        """Return the words that the page uses for a field."""
        label = self.fields[name].label
        return texts(self.locale).t(label) if label else name


class _OddError(ValueError):
    """A value that is not what the field takes; the argument is the text id."""


async def read(request: "Request[Any, Any, Any]", fields: Sequence[Field]) -> Form:
    """Read the listed fields of a posted form; whatever is wrong stands in `errors`."""
    visitor: Visitor = request.scope[VISITOR]  # type: ignore[literal-required]
    posted = await request.form()
    form = read_values(visitor.locale, fields, posted)
    for each in fields:
        if each.kind == "file":
            await _read_upload(form, each, posted.get(each.name))
    if request.scope.get(EXPIRED):
        form.expired = True
        form.errors = {"": visitor.t("err.form_expired"), **form.errors}
    return form


def empty(visitor: Visitor, fields: Sequence[Field] = ()) -> Form:
    """Return a form in which nothing was typed yet."""
    return Form(visitor.locale, {each.name: each for each in fields})


def read_query(request: "Request[Any, Any, Any]", fields: Sequence[Field]) -> Form:
    """Read the listed fields of a query string, for filters; unknown names are ignored."""
    visitor: Visitor = request.scope[VISITOR]  # type: ignore[literal-required]
    return read_values(visitor.locale, fields, request.query_params)


def read_values(locale: str, fields: Sequence[Field], source: Any) -> Form:
    """Read fields from a mapping with several values a name."""
    form = Form(locale, {each.name: each for each in fields})
    for each in fields:
        if each.kind != "file":
            _read_one(form, each, [str(one) for one in source.getall(each.name, [])])
    return form


def _read_one(form: Form, each: Field, typed: list[str]) -> None:
    is_list = each.kind in _LISTS
    # A name that is sent twice counts once: the first, as every reader of forms expects.
    typed = [one.strip() for one in (typed if is_list else typed[:1] or [""])]
    cleaned = [_clean(each, one[: _ROOM * each.most]) for one in typed]
    form.values[each.name] = cleaned if is_list else cleaned[0]
    try:
        _check_room(each, typed)
        form.parsed[each.name] = _parse(each, cleaned)
    except _OddError as odd:
        form.parsed[each.name] = None
        form.refuse(each.name, str(odd), field=form.label_of(each.name), n=each.most)


def _check_room(each: Field, typed: Sequence[str]) -> None:
    if any(len(one) > _ROOM * each.most for one in typed):
        raise _OddError("err.choose" if each.kind in _LISTS else "err.too_long")


def _clean(each: Field, typed: str) -> str:
    return clean_text(typed) if each.kind == "text" else clean_line(typed)


def _parse(each: Field, cleaned: list[str]) -> Any:
    if each.kind in _LISTS:
        return _parse_list(each, cleaned)
    value = cleaned[0]
    if not value:
        if each.required:
            raise _OddError("err.choose" if each.choices is not None else "err.required")
        return _EMPTY.get(each.kind)
    if len(value) > each.most:
        raise _OddError("err.too_long")
    return _PARSERS[each.kind](each, value)


def _parse_list(each: Field, cleaned: list[str]) -> list[Any]:
    if each.required and not cleaned:
        raise _OddError("err.choose")
    one = _parse_id if each.kind == "ids" else _parse_choice
    return list(dict.fromkeys(one(each, value) for value in cleaned))


def _parse_line(_: Field, value: str) -> str:
    return value


def _parse_choice(each: Field, value: str) -> str:
    if each.choices is not None and value not in each.choices:
        raise _OddError("err.choose")
    return value


def _parse_email(_: Field, value: str) -> str:
    found = addressing.read_address(value)
    if found is None:
        raise _OddError(addressing.refusal_of(value))
    return found


def _parse_url(_: Field, value: str) -> str:
    if not re.match(r"https?://[^\s/]", value, re.IGNORECASE) or " " in value:
        raise _OddError("err.url")
    return value


def _parse_day(_: Field, value: str) -> date:
    try:
        if found := _ISO_DAY.fullmatch(value):
            return date(*(int(part) for part in found.groups()))
        if found := _DAY.fullmatch(value):
            day, month, year = (int(part) for part in found.groups())
            return date(year + 2000 if year < _SHORT_YEAR else year, month, day)
    except ValueError:
        pass
    raise _OddError("err.date")


def _parse_clock(_: Field, value: str) -> time:
    if found := _CLOCK.fullmatch(value):
        try:
            return time(int(found[1]), int(found[2]))
        except ValueError:
            pass
    raise _OddError("err.time")


def _parse_number(_: Field, value: str) -> int:
    if not _NUMBER.fullmatch(value) or abs(int(value)) > _LARGEST_NUMBER:
        raise _OddError("err.number")
    return int(value)


def _parse_flag(_: Field, value: str) -> bool:
    return value not in {"0", "false"}


def _parse_id(_: Field, value: str) -> UUID:
    if not _ID.fullmatch(value):
        raise _OddError("err.choose")
    return UUID(value)


_LISTS = frozenset({"many", "ids"})
_EMPTY: Mapping[str, Any] = {"line": "", "text": "", "url": "", "flag": False}
_PARSERS: Mapping[str, Callable[[Field, str], Any]] = {
    "line": _parse_line,
    "text": _parse_line,
    "choice": _parse_choice,
    "email": _parse_email,
    "url": _parse_url,
    "day": _parse_day,
    "clock": _parse_clock,
    "number": _parse_number,
    "flag": _parse_flag,
    "id": _parse_id,
}


async def _read_upload(form: Form, each: Field, sent: object) -> None:
    if isinstance(sent, UploadFile) and sent.filename:
        name = clean_line(sent.filename[: _ROOM * each.most])
        form.parsed[each.name] = Upload(name[: each.most], await sent.read())
        return
    form.parsed[each.name] = None
    if each.required:
        form.refuse(each.name, "err.file", field=form.label_of(each.name))
