"""Refresh the files under `service/static/vendor/` from the versions that the lock file pins.

A development tool: `python deploy/vendor.py [FOLDER]`; another folder than the committed one shows
whether the same versions still give the same bytes. It needs npm, fonttools and brotli; neither the
wheel nor the server does, because the results are committed.
"""
# ruff: noqa: INP001 - a program of its own, not a package

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fontTools import subset
from fontTools.ttLib import TTFont

STATIC = Path(__file__).resolve().parents[1] / "service" / "static"
VENDOR = STATIC / "vendor"

# Basic Latin, Latin-1, Latin Extended-A (names), general punctuation, euro, arrows, minus.
LATIN = (
    "U+0020-007E,U+00A0-017F,U+0218-021B,U+02C6,U+02DA,U+02DC,"
    "U+1E9E,U+2010-2015,U+2018-201E,U+2020-2022,U+2026,U+202F,U+2030,U+2039,U+203A,U+20AC,"
    "U+2116,U+2122,U+2190-2193,U+2212"
)


class Piece(NamedTuple):
    """One file to keep: where it comes from inside node_modules and under which licence."""

    package: str
    source: str
    file: str
    licence: str


KERN, HTMX = "@kern-ux/native", "htmx.org"
PIECES = (
    Piece(KERN, "dist/kern.min.css", "kern/kern.min.css", "EUPL-1.2"),
    Piece(KERN, "LICENSE.md", "LICENSES/EUPL-1.2.md", "EUPL-1.2"),
    Piece(HTMX, "dist/htmx.min.js", "htmx/htmx.min.js", "0BSD"),
    Piece(HTMX, "LICENSE", "LICENSES/0BSD.txt", "0BSD"),
    *(
        Piece(
            KERN,
            f"dist/fonts/fira-sans/FiraSans-{style}.woff2",
            f"sans/{style.lower()}-latin.woff2",
            "OFL-1.1",
        )
        for style in ("Regular", "Medium", "SemiBold")
    ),
)
# "Fira" is a reserved name in one edition of the font's licence, so the cut-down font has its own
# (OFL, condition 3); app.css asks for it under the same one.
FAMILY = "Terminbuch Sans"
RENAMED = {1: FAMILY, 3: FAMILY, 4: FAMILY, 6: FAMILY.replace(" ", "")}
# The package carries the font without its licence; the text was added by hand once.
BY_HAND = ("LICENSES/OFL-1.1.txt",)


def main(arguments: list[str]) -> int:
    """Write every file of PIECES and the manifest; return the exit status of the program."""
    folder = Path(arguments[0]) if arguments else VENDOR
    with tempfile.TemporaryDirectory() as place:
        modules = _install(Path(place))
        entries = [_keep(piece, modules / piece.package, folder) for piece in PIECES]
    entries += [_added_by_hand(name) for name in BY_HAND]
    text = json.dumps(sorted(entries, key=lambda e: e["file"]), indent=2, ensure_ascii=False)
    (folder / "manifest.json").write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{len(entries)} files in {folder}\n")
    return 0


def _install(place: Path) -> Path:
    """Install the pinned packages without running their scripts; return node_modules."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to refresh the vendored files")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(STATIC / name, place / name)
    subprocess.run(  # noqa: S603 - a fixed command line of a development tool
        [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place, check=True
    )
    return place / "node_modules"


def _keep(piece: Piece, package: Path, folder: Path) -> dict[str, str]:
    """Copy or subset one file and say in a manifest entry what was kept."""
    source, target = package / piece.source, folder / piece.file
    target.parent.mkdir(parents=True, exist_ok=True)
    if target.suffix == ".woff2":
        subset.main([str(source), f"--output-file={target}", *_font_options()])
        _rename(target)
    else:
        shutil.copyfile(source, target)
    version = json.loads((package / "package.json").read_text(encoding="utf-8"))["version"]
    return {
        "package": piece.package,
        "version": version,
        "licence": piece.licence,
        "file": piece.file,
        "sha256": _sha256(target),
        "source": piece.source,
        "source_sha256": _sha256(source),
    }


def _font_options() -> Iterator[str]:
    """Keep Latin, kerning, ligatures and tabular figures; drop hints and old name records."""
    yield f"--unicodes={LATIN}"
    yield "--flavor=woff2"
    yield "--layout-features=kern,liga,mark,mkmk,locl,ccmp,tnum"
    yield "--no-hinting"
    yield "--desubroutinize"
    # Copyright, family, licence and trademark records stay in the file (OFL, condition 2).
    yield "--name-IDs=0,1,2,3,4,5,6,7,13,14"


def _rename(path: Path) -> None:
    """Give the cut-down font its own name."""
    with TTFont(path, recalcTimestamp=False) as font:
        for record in font["name"].names:
            if record.nameID in RENAMED:
                record.string = RENAMED[record.nameID]
        font.save(path)


def _added_by_hand(name: str) -> dict[str, str]:
    return {
        "package": "Fira Sans",
        "version": "4.106",
        "licence": "OFL-1.1",
        "file": name,
        "sha256": _sha256(VENDOR / name),
        "source": "licence text published with the font",
        "source_sha256": _sha256(VENDOR / name),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
