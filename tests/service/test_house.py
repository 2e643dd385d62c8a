"""The rules of the house that neither linter, types nor the import contract can keep."""

import ast
import gc
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

# One worker reads each file once.
pytestmark = pytest.mark.xdist_group("house")

ROOT = Path(__file__).parents[2]
PACKAGES = ("service", "notifications", "calendars")
LONGEST_MODULE = 400
LONGEST_FUNCTION = 60

Function = ast.FunctionDef | ast.AsyncFunctionDef


@pytest.fixture(scope="module", autouse=True)
def trees() -> Iterator[None]:
    """Keep collections away from the trees: each full one would walk all of them."""
    gc.disable()
    yield
    tree.cache_clear()
    gc.enable()


def modules(*folders: str) -> list[Path]:
    """Return the Python files below these folders, relative to the root."""
    found = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert found
    return [path.relative_to(ROOT) for path in found]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((ROOT / path).read_text("utf-8"))


def functions(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def called(path: Path) -> set[str]:
    """Return what the module calls, as it is written: `datetime.now`."""
    return {ast.unparse(node.func) for node in ast.walk(tree(path)) if isinstance(node, ast.Call)}


def test_no_module_is_longer_than_anybody_reads() -> None:
    lengths = {
        path: len((ROOT / path).read_text("utf-8").splitlines())
        for path in modules(*PACKAGES)
        # A migration is written once and never changed, and tells one story.
        if "piccolo_migrations" not in path.parts
    }

    assert {} == {path: n for path, n in lengths.items() if n > LONGEST_MODULE}


def test_no_function_is_longer_than_a_screen() -> None:
    lengths = {
        (path, each.name): (each.end_lineno or 0) - each.lineno + 1
        for path in modules(*PACKAGES, "tests")
        for each in functions(path)
    }

    assert {} == {place: n for place, n in lengths.items() if n > LONGEST_FUNCTION}


# --- values reach the database as parameters only ----------------------------------------------

_SQL = re.compile(r"\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|CREATE|ALTER|DROP|TRUNCATE)\b")


def is_constant(node: ast.expr) -> bool:
    """Tell whether an expression is a constant, or an entry of a constant table."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == name.upper()
        case ast.Subscript(value=table):
            return is_constant(table)
        case ast.Call(func=ast.Attribute(attr="get", value=table), args=[_, *others]):
            return is_constant(table) and all(is_constant(each) for each in others)
    return False


def spliced_values(function: ast.AST) -> Iterator[str]:
    """Return what a function writes into SQL texts that is no constant."""
    for text in ast.walk(function):
        if not isinstance(text, ast.JoinedStr):
            continue
        fixed = "".join(each.value for each in text.values if isinstance(each, ast.Constant))
        parts = (each.value for each in text.values if isinstance(each, ast.FormattedValue))
        if _SQL.search(fixed):
            yield from (ast.unparse(each) for each in parts if not is_constant(each))


def test_statements_are_put_together_from_constants_only() -> None:
    found = {
        (path, each.name): set(spliced_values(each))
        for path in modules("service", "notifications")
        for each in functions(path)
    }

    assert {} == {place: values for place, values in found.items() if values}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('f"SELECT 1 FROM {TABLE}"', []),
        ('f"SELECT 1 FROM {_BY_KIND[kind]}"', []),
        ('f"SELECT 1 FROM person WHERE name = {name}"', ["name"]),
        ('f"DELETE FROM person {_BY_KIND[kind]} {form.values}"', ["form.values"]),
        ('f"{name} is well"', []),
    ],
)
def test_a_value_inside_a_statement_would_be_noticed(line: str, expected: list[str]) -> None:
    assert expected == list(spliced_values(ast.parse(line)))


# --- one source of now, of links, of what is kept ------------------------------------------------

_CLOCKS = {
    Path("service/clock.py"),  # the one source of now
    Path("service/jobs.py"),  # the scheduler lives by the machine's clock
    Path("notifications/options.py"),  # its default, for it knows no service; `app` hands ours in
}
_NOW = {"datetime.now", "datetime.utcnow", "datetime.today", "date.today"}


def test_nobody_but_the_clock_looks_at_the_clock() -> None:
    found = {
        path for path in modules(*PACKAGES) if "demo" not in path.parts and called(path) & _NOW
    }

    assert found == _CLOCKS


# Sends requests with an odd one the longer way, and makes no link.
_LOOKS_AT_HOST = {Path("service/web/direct.py")}


def test_links_never_come_from_what_a_request_says_about_its_host() -> None:
    told = re.compile(r"request\.url\b(?!\.path)|\bbase_url\b|\burl_for\b|[\"']host[\"']")

    found = {path for path in modules("service/web") if told.search((ROOT / path).read_text())}

    assert found == _LOOKS_AT_HOST


def test_no_route_is_kept_by_a_cache_that_ignores_who_asks() -> None:
    kept = {
        path
        for path in modules("service")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.keyword) and node.arg in {"cache", "response_cache_config"}
    }

    assert kept == set()


def imported(path: Path) -> set[str]:
    """Return the full names that a module imports."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{each.name}" for each in node.names}
    return names


def test_nothing_is_taken_from_the_corners_of_a_library_that_will_go() -> None:
    corners = ("litestar.contrib", "litestar.middleware.rate_limit", "litestar.middleware.session")

    found = {path for path in modules("service") for n in imported(path) if n.startswith(corners)}

    assert found == set()


def test_the_rules_and_the_calendars_need_nothing_but_the_language() -> None:
    own = {"calendars", "service"}
    tops = {
        name.partition(".")[0]
        for path in modules("service/domain", "calendars")
        for name in imported(path)
    }

    assert set() == tops - own - sys.stdlib_module_names


def test_tests_replace_nothing_behind_the_back_of_the_code() -> None:
    found = {
        path
        for path in modules("tests")
        if any(name.startswith("unittest.mock") for name in imported(path))
        or called(path) & {"monkeypatch.setattr", "mocker.patch"}
    }

    assert found == set()


# --- what is handed out ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """Build the wheel as an operator would."""
    folder = tmp_path_factory.mktemp("wheel")
    uv = Path(sys.executable).parent / "uv"
    command = [uv, "build", "--wheel", "--quiet", "--out-dir", folder, ROOT]
    built = subprocess.run(command, check=False, capture_output=True, text=True)
    if built.returncode and "CI" not in os.environ:
        pytest.skip(f"the build backend is not to be had: {built.stderr[-300:]}")
    assert built.returncode == 0, built.stderr
    [path] = folder.glob("*.whl")
    with zipfile.ZipFile(path) as opened:
        yield opened


def test_the_wheel_holds_every_template_text_migration_and_static_file(
    wheel: zipfile.ZipFile,
) -> None:
    here = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    there = {name for name in wheel.namelist() if name.startswith(PACKAGES)}

    assert here == there
    for ending in (".html", ".toml", ".css", ".js", ".woff2", ".csv", "_sessions.py"):
        assert any(name.endswith(ending) for name in there), ending


# --- what is written about it ------------------------------------------------------------------


def test_the_changelog_begins_with_the_version_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

    versions = re.findall(
        r"^## (\d+\.\d+\.\d+) - ", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )

    assert [version] == versions[:1]


def test_the_map_of_the_code_names_every_module_and_nothing_else() -> None:
    kept_by_tools = {"__init__", "__main__", "piccolo_app", "piccolo_conf", "piccolo_migrations"}
    there = {
        path.stem
        for path in (ROOT / "service").iterdir()
        if path.suffix == ".py" or (path.is_dir() and path.name != "__pycache__")
    }

    named = {name.strip("/") for row in rows_of_the_map() for name in re.findall(r"`([^`]+)`", row)}

    assert there - kept_by_tools == named


@pytest.mark.parametrize("package", ["calendars", "notifications"])
def test_the_map_names_the_modules_of_the_packages_below(package: str) -> None:
    kept_by_tools = {"__init__", "piccolo_app"}
    there = {path.stem for path in (ROOT / package).glob("*.py")}

    assert there - kept_by_tools - set(re.findall(r"`(\w+)`", the_map())) <= {"crashing"}


def the_map() -> str:
    text = (ROOT / "README.md").read_text("utf-8")
    return text.partition("## Map of the code")[2].partition("\n## ")[0]


def rows_of_the_map() -> list[str]:
    """Return the first cells of the map's table, and `static/`, which stands beside the pages."""
    lines = [line for line in the_map().splitlines() if line.startswith("| `")]
    return ["`static/`", *(line.split("|")[1] for line in lines)]
