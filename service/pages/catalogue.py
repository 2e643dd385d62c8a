"""The texts of the product in both languages, read once from `texts/*.toml`."""

import re
import string
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

LOCALES = ("de", "en")
DEFAULT_LOCALE = "de"

_FORMS = frozenset({"one", "other"})
_ID = re.compile(r"[a-z0-9_]+(\.[a-z0-9_]+)*")


class MissingTextError(LookupError):
    """A text was asked for that no catalogue holds."""


@dataclass(frozen=True, slots=True)
class Wording:
    """One text in one language: its plural form and, where it counts, its singular."""

    other: str
    one: str | None = None

    def forms(self) -> Iterator[str]:
        """Yield every form that exists, the general one first."""
        yield self.other
        if self.one is not None:
            yield self.one

    def placeholders(self) -> frozenset[str]:
        """Return the names in braces of all forms together."""
        return frozenset(
            name
            for form in self.forms()
            for _, name, _, _ in string.Formatter().parse(form)
            if name
        )

    def fill(self, values: Mapping[str, object]) -> str:
        """Put the values in, choosing the singular when the value `n` is 1."""
        form = self.one if self.one is not None and values.get("n") == 1 else self.other
        return form.format_map(values)


@dataclass(frozen=True, slots=True)
class Texts:
    """All texts in one language."""

    locale: str
    wordings: Mapping[str, Wording]

    def t(self, key: str, /, **values: object) -> str:
        """Return the text of an id with its placeholders filled; a missing one is an error."""
        wording = self.wordings.get(key)
        if wording is None:
            raise MissingTextError(f"{key} ({self.locale})")
        try:
            return wording.fill(values)
        except KeyError as missing:
            raise MissingTextError(f"{key} ({self.locale}) needs the value {missing}") from None

    def has(self, key: str) -> bool:
        """Tell whether an id exists."""
        return key in self.wordings


def texts(locale: str) -> Texts:
    """Return the texts of a locale; any unknown locale reads German."""
    return _CATALOGUE.get(locale, _CATALOGUE[DEFAULT_LOCALE])


def read_sources() -> Mapping[str, Mapping[str, Mapping[str, object]]]:
    """Return the raw tables of each catalogue file by its name."""
    folder = files("service.pages").joinpath("texts")
    return {
        source.name: tomllib.loads(source.read_text(encoding="utf-8"))
        for source in sorted(folder.iterdir(), key=lambda entry: entry.name)
        if source.name.endswith(".toml")
    }


def _wording(key: str, locale: str, entry: Mapping[str, object]) -> Wording:
    """Read one language of an entry: a string, or a table with `one` and `other`."""
    value = entry.get(locale)
    if isinstance(value, str):
        return Wording(value)
    if isinstance(value, dict) and value.keys() == _FORMS:
        return Wording(other=value["other"], one=value["one"])
    raise ValueError(f"{key} has no text, or no one/other table, in {locale}")


def _load() -> Mapping[str, Texts]:
    # That no id stands in two files is held by a test, not by every start.
    sources = {key: entry for table in read_sources().values() for key, entry in table.items()}
    odd = [key for key in sources if not _ID.fullmatch(key)]
    if odd:
        raise ValueError(f"text ids are lower-case words with dots: {odd}")
    return MappingProxyType(
        {
            locale: Texts(
                locale,
                MappingProxyType(
                    {key: _wording(key, locale, entry) for key, entry in sources.items()}
                ),
            )
            for locale in LOCALES
        }
    )


_CATALOGUE = _load()
