"""Clean what people type, once, at the edge: what is kept can go into any page, mail or calendar.

PostgreSQL refuses NUL and lone surrogates, calendar programs choke on control characters, bidi
controls make a line read other than it is, and the brackets of our letters' gaps would open one.
"""

import re

from calendars import normal_form

# C0 and C1 controls except tab and newline; DEL is one of them.
_CONTROLS = r"\x00-\x08\x0b-\x1f\x7f-\x9f"
# Embeddings, overrides, isolates and marks of direction; the byte order mark is no text either.
_BIDI = r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff"
_SURROGATES = r"\ud800-\udfff"
# A letter with a gap that nothing fills leaves for nobody.
_GAPS = r"\u27e6\u27e7"
_UNWANTED = re.compile(f"[{_CONTROLS}{_BIDI}{_SURROGATES}{_GAPS}]")
_LINE_END = re.compile(r"\r\n?|\x85|\u2028|\u2029")
_SPACES = re.compile(r"\s+")


def clean_text(text: str) -> str:
    """Return the text in NFC, trimmed, with LF and without what no page or letter can carry."""
    text = _LINE_END.sub("\n", text)
    return normal_form.compose(_UNWANTED.sub("", text)).strip()


def clean_line(text: str) -> str:
    """Return the text as one line: cleaned, and each run of white space as one blank."""
    return _SPACES.sub(" ", clean_text(text)).strip()
