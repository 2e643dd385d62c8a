"""The Containerfile, as far as it can be held true without building an image."""

import re
import shlex
import tomllib
from pathlib import Path

from click.testing import CliRunner

from service.cli import main
from service.settings import Settings

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "deploy" / "Containerfile").read_text("utf-8").replace("\\\n", " ").splitlines()


def _instructions(name: str) -> list[str]:
    return [line.partition(" ")[2].strip() for line in LINES if line.startswith(f"{name} ")]


def test_it_copies_what_the_wheel_is_made_from_and_nothing_that_is_missing() -> None:
    copied = {
        source
        for line in _instructions("COPY")
        if "--from" not in line
        for source in shlex.split(line)[:-1]
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    packages = set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])

    assert {"pyproject.toml", "uv.lock", "README.md", "LICENSE"} | packages == copied
    assert [] == [source for source in copied if not (ROOT / source).exists()]


def test_both_stages_run_on_the_same_python_that_the_product_supports() -> None:
    images = {line.split(" ")[0] for line in _instructions("FROM")}

    (image,) = images
    found = re.search(r"python:3\.(\d+)-", image)
    assert found is not None
    assert int(found[1]) in range(11, 15)


def test_its_environment_is_understood_as_settings() -> None:
    given = dict(
        word.split("=", 1)
        for line in _instructions("ENV")
        for word in shlex.split(line)
        if word.startswith("TERMINBUCH_")
    )

    read = Settings.read(given)

    assert {"TERMINBUCH_DATA_DIR", "TERMINBUCH_HOST"} == set(given)
    assert ("/var/lib/terminbuch", "0.0.0.0") == (str(read.data_dir), read.host)  # noqa: S104 - inside


def test_it_starts_a_command_that_there_is_as_nobody_special() -> None:
    (command,) = _instructions("CMD")
    program, *arguments = re.findall(r'"([^"]+)"', command)

    shown = CliRunner().invoke(main, [*arguments, "--help"])

    assert ("terminbuch", 0) == (program, shown.exit_code)
    assert ["terminbuch"] == _instructions("USER")
