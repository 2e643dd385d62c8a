"""The static files as they are served: read once, compressed once, under hashed addresses."""

import gzip
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType

# What is served; everything else in the folder (licences, manifest, lock file) stays inside.
_CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".ico": "image/x-icon",
    ".png": "image/png",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
_COMPRESSED = frozenset({".css", ".js", ".svg", ".txt"})
_FOREVER = "public, max-age=31536000, immutable"
_BRIEFLY = "public, max-age=3600"
# Addresses that browsers ask for without being told.
_AT_ROOT = ("favicon.ico", "favicon.svg")
_HASH_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Asset:
    """One file with everything its response needs; `gzip_body` None means it gains nothing."""

    body: bytes
    content_type: str
    gzip_body: bytes | None
    etag: str
    cache_control: str


@cache
def assets() -> Mapping[str, Asset]:
    """Return every served file by its URL path; nothing is looked up on disk afterwards."""
    contents = dict(_served_files())
    release = _release(contents)
    served = {
        f"/static/{release}/{name}": _asset(name, body, _FOREVER) for name, body in contents.items()
    }
    served |= {f"/{name}": _asset(name, contents[name], _BRIEFLY) for name in _AT_ROOT}
    return MappingProxyType(served)


@cache
def static_urls() -> Mapping[str, str]:
    """Return the URL path of each served file by its name below the static folder."""
    contents = dict(_served_files())
    release = _release(contents)
    return MappingProxyType({name: f"/static/{release}/{name}" for name in contents})


def find(url_path: str) -> Asset | None:
    """Return the file of an address, None when there is none.

    An address with another release's hash finds the present file under a short life, so that
    two releases behind one proxy do not show each other's pages without their style.
    """
    known = assets().get(url_path)
    if known is not None:
        return known
    match url_path.split("/", 3):
        case ["", "static", release, name] if len(release) == _HASH_CHARACTERS:
            present = assets().get(static_urls().get(name, ""))
            return None if present is None else _briefly(present)
    return None


def _served_files() -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each file of a served kind, in a stable order."""
    yield from sorted(_walk(files("service").joinpath("static"), ""))


def _walk(folder: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _walk(entry, f"{name}/")
        elif _suffix(name) in _CONTENT_TYPES and "LICENSES/" not in name:
            yield name, entry.read_bytes()


def _release(contents: Mapping[str, bytes]) -> str:
    """Hash names and bytes together: relative addresses inside style sheets stay right."""
    digest = hashlib.sha256()
    for name, body in sorted(contents.items()):
        digest.update(f"{name}:{len(body)}:".encode())
        digest.update(body)
    return digest.hexdigest()[:_HASH_CHARACTERS]


def _asset(name: str, body: bytes, cache_control: str) -> Asset:
    suffix = _suffix(name)
    packed = gzip.compress(body, compresslevel=9, mtime=0) if suffix in _COMPRESSED else None
    return Asset(
        body=body,
        content_type=_CONTENT_TYPES[suffix],
        gzip_body=packed,
        etag=f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        cache_control=cache_control,
    )


def _briefly(asset: Asset) -> Asset:
    return Asset(asset.body, asset.content_type, asset.gzip_body, asset.etag, _BRIEFLY)


def _suffix(name: str) -> str:
    return "." + name.rsplit(".", 1)[-1] if "." in name else ""
