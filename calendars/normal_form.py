"""The normal form of Unicode in a time that grows with the text, whoever wrote it."""

import re
import unicodedata

MARKS_LIMIT = 30
"""Marks upon one letter that are kept, as many as the stream-safe format has (UAX #15)."""

# No character before the first of these is a mark, and no mark decomposes into more than two:
# without such a run there cannot be too many. The sign before it may bring marks of its own.
_RUN = f"[\u0300-\U0010ffff]{{{MARKS_LIMIT // 2},}}"
_HAS_RUN = re.compile(_RUN)
_WHOLE_RUN = re.compile(f".?{_RUN}", re.DOTALL)


def compose(text: str) -> str:
    """Return the text in NFC; of more marks upon one letter than `MARKS_LIMIT` the rest is left.

    To sort the marks of one letter takes the square of their number. No script needs as many.
    """
    if _HAS_RUN.search(text):
        text = _WHOLE_RUN.sub(_leave_marks, text)
    return unicodedata.normalize("NFC", text)


def _leave_marks(run: "re.Match[str]") -> str:
    kept: list[str] = []
    marks = 0
    for sign in run[0]:
        # What counts is the character taken apart: a letter may bring marks, a mark be several.
        parts = unicodedata.normalize("NFD", sign)
        more = sum(unicodedata.combining(one) != 0 for one in parts)
        marks = marks + more if unicodedata.combining(parts[0]) else more
        if marks <= MARKS_LIMIT:
            kept.append(sign)
    return "".join(kept)
