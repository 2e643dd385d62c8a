"""Lists on the web: choose a file, name its columns, look at every line, take it in.

The list itself travels in the form from step to step and is never kept; each step reads it anew,
and the last one refuses when the dry run would no longer say what was looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Response

from service import import_files, importing
from service.domain.errors import FieldsError, StaleFormError
from service.domain.imports import Choice, Decision, Kind, Plan, Verdict
from service.import_files import MOST_BYTES, MOST_COLUMNS, SOURCE, Table
from service.services import Services
from service.tallying import Tally
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

# The list of two million bytes, and what the form has around it.
_BODY_BYTES = MOST_BYTES + 500_000
# A page with more lines opens slowly; what is not shown is counted.
MOST_SHOWN = 1_000
_EXAMPLE_ROWS = 3
_OPT = {"policy": Policy.COORDINATOR}
_FORM = {"policy": Policy.COORDINATOR, "form": True}

_KIND = Field(
    "kind",
    kind="choice",
    label="imp.kind",
    required=True,
    choices=tuple(kind.value for kind in Kind),
)
_TEXT = Field("text", kind="text", label="imp.paste", most=MOST_BYTES)
START_FIELDS = (
    _KIND,
    Field(SOURCE, kind="file", label="imp.file"),
    _TEXT,
    Field("legal", kind="flag", label="imp.legal_short"),
)
COLUMN_FIELDS = tuple(Field(f"column_{place}", most=20) for place in range(MOST_COLUMNS))
CHECK_FIELDS = (_KIND, _TEXT, *COLUMN_FIELDS)
APPLY_FIELDS = (
    *CHECK_FIELDS,
    Field("seen", most=64),
    Field("left_out", kind="many"),
    Field("match", kind="many"),
    Field("as_new", kind="many"),
    Field("ended", kind="ids"),
    Field("letters", kind="flag", label="imp.letters_send"),
    Field("many", kind="flag", label="together.many"),
)
_SAID = tuple(Field(name, kind="number") for name in ("neu", "geaendert", "beendet", "ausgelassen"))


@dataclass(frozen=True, slots=True)
class _Listed:
    """The list that travels from step to step, and what its columns are."""

    kind: Kind
    text: str
    columns: tuple[str, ...] = ()


AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/import", opt=_OPT)
async def show_start(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Ask for the list, and tell what the last import did."""
    said = forms.read_query(request, _SAID)
    done = said.parsed if said["neu"] is not None else None
    return _start(services, visitor, forms.empty(visitor, START_FIELDS), done=done)


@post("/buero/import/spalten", opt=_FORM, request_max_body_size=_BODY_BYTES)
async def name_columns(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Read the list and propose what its columns are; meetings need no such step."""
    form = await forms.read(request, START_FIELDS)
    text = _take_text(form)
    if form.is_valid and not form["legal"] and form["kind"] == Kind.MEMBERS:
        form.refuse("legal", "imp.err_legal")
    if not form.is_valid:
        return _start(services, visitor, form)
    kind = Kind(form["kind"])
    if kind is Kind.MEETINGS:
        return await _check(services, visitor, form, _Listed(kind, text))
    try:
        table = import_files.read_table(text)
    except FieldsError as error:
        form.refuse_fields(error)
        return _start(services, visitor, form)
    listed = _Listed(kind, text, import_files.guess_columns(kind, table.header))
    return _columns(services, visitor, forms.empty(visitor, CHECK_FIELDS), listed, table)


@post("/buero/import/pruefen", opt=_FORM, request_max_body_size=_BODY_BYTES)
async def check_lines(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what would happen, a line for each row."""
    form = await forms.read(request, CHECK_FIELDS)
    if not _is_whole(form):
        return _start(services, visitor, form)
    return await _check(services, visitor, form, _listed(form))


@post("/buero/import/ausfuehren", opt=_FORM, request_max_body_size=_BODY_BYTES)
async def apply_lines(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Do what was looked at, as far as it was chosen."""
    form = await forms.read(request, APPLY_FIELDS)
    if not _is_whole(form):
        return _start(services, visitor, form)
    listed = _listed(form)
    if form.is_valid and form["letters"] and not form["many"]:
        tally = await _foresee(services, visitor, form, listed)
        if tally.is_many:
            form.refuse("many", "together.err_many")
    if not form.is_valid:
        return await _check(services, visitor, form, listed)
    try:
        done = await importing.apply(
            services.database,
            visitor.actor,
            listed.kind,
            listed.text,
            visitor.now,
            columns=listed.columns or None,
            choice=_choice(form),
        )
    except StaleFormError:
        form.refuse("", "imp.err_stale")
        return await _check(services, visitor, form, listed)
    counts = f"neu={done.added}&geaendert={done.changed}&beendet={done.ended}"
    return respond.see_other(visitor, f"/buero/import?{counts}&ausgelassen={done.skipped}")


def _take_text(form: Form) -> str:
    """Return the list from the file or, where none was sent, from what was pasted."""
    upload = form.parsed.get(SOURCE)
    if upload is None:
        if not form["text"]:
            form.refuse(SOURCE, "imp.err_nothing")
        return str(form["text"] or "")
    try:
        text = import_files.decode(upload.content).lstrip("\ufeff\r\n ")
    except FieldsError as error:
        form.refuse_fields(error)
        return ""
    # Forms trim what comes along, and the first cell of a header may be empty.
    return '""' + text if text.startswith("\t") else text


def _is_whole(form: Form) -> bool:
    """Tell whether the list came along; without it everything begins anew."""
    if form["text"] and form["kind"]:
        return True
    form.refuse(SOURCE, "imp.err_nothing")
    return False


def _listed(form: Form) -> _Listed:
    """Read what came along; fields after the last named column do not count."""
    named = [str(form[f"column_{place}"] or "") for place in range(MOST_COLUMNS)]
    last = max((place for place, name in enumerate(named, start=1) if name), default=0)
    known = import_files.COLUMNS.get(form["kind"], ())
    columns = tuple(name if name in known else "" for name in named[:last])
    return _Listed(Kind(form["kind"]), form["text"], columns)


def _choice(form: Form) -> Choice:
    match, new = _numbers(form["match"]), _numbers(form["as_new"])
    # Who is said to be both the same and another is asked again.
    decisions = dict.fromkeys(match - new, Decision.MATCH) | dict.fromkeys(
        new - match, Decision.NEW
    )
    return Choice(
        left_out=_numbers(form["left_out"]),
        decisions=decisions,
        ended=frozenset(form["ended"]),
        seen=form["seen"],
        with_letters=bool(form["letters"]),
    )


async def _foresee(services: Services, visitor: Visitor, form: Form, listed: _Listed) -> Tally:
    """Tell which letters the list would mean, with what was chosen of it so far."""
    choice = _choice(form) if "seen" in form.parsed else importing.ALL_CERTAIN
    return await importing.foresee(
        *(services.database, visitor.actor, listed.kind, listed.text, visitor.now),
        columns=listed.columns or None,
        choice=choice,
    )


def _numbers(typed: Sequence[str] | None) -> set[int]:
    return {int(one) for one in typed or () if one.isascii() and one.isdigit()}


def _start(
    services: Services, visitor: Visitor, form: Form, *, done: dict[str, Any] | None = None
) -> Page:
    return respond.page(
        services, visitor, "people/import.html", form=form, done=done, kinds=tuple(Kind)
    )


def _columns(
    services: Services, visitor: Visitor, form: Form, listed: _Listed, table: Table
) -> Page:
    examples = [
        [row.cells[place] for row in table.rows[:_EXAMPLE_ROWS] if place < len(row.cells)]
        for place in range(len(table.header))
    ]
    named = listed.columns[: len(table.header)]
    return respond.page(
        services,
        visitor,
        "people/import_columns.html",
        form=form,
        kind=listed.kind,
        text=listed.text,
        columns=list(zip_longest(table.header, named, examples, fillvalue="")),
        known=import_files.COLUMNS[listed.kind],
        rows=len(table.rows),
    )


async def _check(services: Services, visitor: Visitor, form: Form, listed: _Listed) -> Page:
    try:
        plan = await importing.plan(
            services.database, listed.kind, listed.text, visitor.now, listed.columns or None
        )
    except FieldsError as error:
        form.refuse_fields(error)
        return _go_back(services, visitor, form, listed)
    lines = _sorted(plan)
    return respond.page(
        services,
        visitor,
        "people/import_check.html",
        form=form,
        plan=plan,
        text=listed.text,
        columns=listed.columns,
        lines=lines[:MOST_SHOWN],
        hidden_lines=max(0, len(lines) - MOST_SHOWN),
        missing=plan.of(Verdict.MISSING)[:MOST_SHOWN],
        tally=await _foresee(services, visitor, form, listed),
    )


def _go_back(services: Services, visitor: Visitor, form: Form, listed: _Listed) -> Page:
    """Go back one step with what is wrong: to the columns when there are any to name."""
    if listed.kind is Kind.MEETINGS:
        return _start(services, visitor, form)
    try:
        table = import_files.read_table(listed.text)
    except FieldsError:
        return _start(services, visitor, form)
    return _columns(services, visitor, form, listed, table)


def _sorted(plan: Plan) -> list[Any]:
    """Return what needs a look first: errors, uncertain rows, changes, then new ones."""
    order = (Verdict.ERROR, Verdict.UNCERTAIN, Verdict.CHANGED, Verdict.NEW)
    return [line for verdict in order for line in plan.of(verdict)]


ROUTES = [show_start, name_columns, check_lines, apply_lines]
