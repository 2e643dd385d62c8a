"""The static files: what is served, how, and where each vendored file comes from."""

import gzip
import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import service
from service.pages.assets import assets, find, static_urls

STATIC = Path(service.__file__).parent / "static"
VENDOR = STATIC / "vendor"
MANIFEST = json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))
ALLOWED_LICENCES = {"EUPL-1.2", "0BSD", "OFL-1.1"}


def test_every_vendored_file_is_the_one_in_the_manifest() -> None:
    told = {entry["file"]: entry["sha256"] for entry in MANIFEST}

    found = {
        str(path.relative_to(VENDOR)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in VENDOR.rglob("*")
        if path.is_file() and path.name != "manifest.json"
    }

    assert told == found


def test_every_vendored_file_has_an_allowed_licence_whose_text_is_here() -> None:
    licences = {entry["licence"] for entry in MANIFEST}

    assert licences <= ALLOWED_LICENCES
    assert licences == {path.stem for path in (VENDOR / "LICENSES").iterdir()}


def test_the_manifest_names_the_pinned_versions() -> None:
    pinned = json.loads((STATIC / "package.json").read_text(encoding="utf-8"))["dependencies"]

    versions = {entry["package"]: entry["version"] for entry in MANIFEST}

    assert pinned == {name: version for name, version in versions.items() if name in pinned}


def test_the_lock_file_names_no_host() -> None:
    assert "resolved" not in (STATIC / "package-lock.json").read_text(encoding="utf-8")


@pytest.mark.long
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_pinned_versions_still_give_the_committed_files(tmp_path: Path) -> None:
    tool = Path(__file__).parents[2] / "deploy" / "vendor.py"

    subprocess.run([sys.executable, tool, tmp_path], check=True)

    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8")) == MANIFEST


def test_a_hashed_address_lives_forever_and_an_ordinary_one_does_not() -> None:
    style = find(static_urls()["app.css"])
    icon = find("/favicon.ico")

    assert style is not None
    assert icon is not None
    assert style.cache_control == "public, max-age=31536000, immutable"
    assert icon.cache_control == "public, max-age=3600"


def test_the_compressed_body_is_the_same_file() -> None:
    packed = {name: find(url) for name, url in static_urls().items()}

    different = [
        name
        for name, asset in packed.items()
        if asset and asset.gzip_body and gzip.decompress(asset.gzip_body) != asset.body
    ]

    assert different == []


@pytest.mark.parametrize(
    "path",
    [
        "/static/app.css",
        "/static/package.json",
        "/static/000000000000/package.json",
        "/static/000000000000/vendor/manifest.json",
        "/static/000000000000/vendor/LICENSES/0BSD.txt",
        "/static/000000000000/../pages/rendering.py",
        "/static/000000000000//etc/passwd",
        "/static/",
        "/",
        "",
    ],
)
def test_nothing_else_is_served(path: str) -> None:
    assert find(path) is None


def test_another_releases_address_finds_the_present_file_for_a_short_time() -> None:
    asset = find("/static/000000000000/app.css")

    assert asset is not None
    assert asset.cache_control == "public, max-age=3600"
    assert (STATIC / "app.css").read_bytes() == asset.body


def test_every_address_inside_the_style_sheets_is_served() -> None:
    style = (STATIC / "app.css").read_text(encoding="utf-8")
    kern = (VENDOR / "kern" / "kern.min.css").read_text(encoding="utf-8")

    asked = set(re.findall(r'url\("([^"]+)"\)', style))

    assert {name for name in static_urls() if name.endswith(".woff2")} == asked
    assert re.findall(r"url\((?!\"?'?data:)[^)]{1,80}", kern) == []
    assert "@import" not in style + kern


def test_the_weight_of_a_page_stays_small() -> None:
    def weight(*suffixes: str) -> int:
        return sum(
            len(asset.gzip_body or asset.body)
            for url, asset in assets().items()
            if url.startswith("/static/") and url.endswith(suffixes)
        )

    own_script = find(static_urls()["app.js"])

    assert weight(".css") <= 40 * 1024
    assert weight(".js") <= 18 * 1024
    assert weight(".woff2") <= 70 * 1024
    assert own_script is not None
    assert len(own_script.body) <= 3 * 1024
