"""Titles from a group's pattern, keys that sort German names, and slugs for addresses."""

import re
import unicodedata

NUMBER = "{number}"
TITLE = "{title}"
SLUG_LENGTH = 80

# DIN 5007-1 sorts words: an umlaut as its plain vowel, the sharp s as two.
_AS_WORDS = str.maketrans({"ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "ł": "l", "đ": "d"})
# In an address people type an umlaut as two letters.
_AS_ADDRESS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
_NOT_IN_ADDRESS = re.compile(r"[^0-9a-z]+")
# Letters of other scripts stay, so that such names do not all share one empty key.
_NOT_IN_KEY = re.compile(r"[\W_]+")


def has_number(pattern: str) -> bool:
    """Tell whether titles of this pattern carry a number."""
    return NUMBER in pattern


def fill(pattern: str, number: int | None, title: str = "") -> str:
    """Write the title of one meeting; without a number its place, dot and blank are left out."""
    if number is None:
        pattern = re.sub(r"\{number\}\.?\s*", "", pattern)
    return pattern.replace(NUMBER, str(number)).replace(TITLE, title).strip()


def read_number(pattern: str, title: str) -> int | None:
    """Read the number back from a title that follows the pattern, None when it does not."""
    expression = re.escape(pattern).replace(re.escape(NUMBER), r"(\d{1,5})")
    found = re.fullmatch(expression.replace(re.escape(TITLE), ".*"), title)
    return int(found[1]) if found and found.re.groups else None


def sort_key(name: str) -> str:
    """Return the key that sorts a name by DIN 5007-1 on every server, whatever its collation."""
    plain = unicodedata.normalize("NFKD", name.casefold().translate(_AS_WORDS))
    bare = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return _NOT_IN_KEY.sub(" ", bare).strip()


def slug(text: str) -> str:
    """Write a text as a part of an address: a-z, digits and hyphens, 80 signs at most."""
    typed = unicodedata.normalize("NFC", text).lower().translate(_AS_ADDRESS)
    plain = unicodedata.normalize("NFKD", typed)
    bare = "".join(sign for sign in plain if not unicodedata.combining(sign))
    return _NOT_IN_ADDRESS.sub("-", bare)[:SLUG_LENGTH].strip("-") or "termin"
