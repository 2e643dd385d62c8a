"""Text as calendars may carry it: one alphabet for names, titles and descriptions."""

import re

from calendars import normal_form

# C0 and C1 but newline and tab, DEL, the bidirectional controls, and halves of surrogate pairs.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# Some readers split lines at every character that Unicode calls a line end.
_LINE_ENDS = re.compile("\r\n|[\r\u2028\u2029]")
_BLANKS = re.compile(r"[\n\t ]+")


def clean(text: str) -> str:
    """Return the text in NFC without control characters, bidi controls and lone surrogates.

    Newline and tab stay; every other line end becomes a newline. Cleaning twice changes nothing.
    """
    if text.isascii() and text.isprintable():
        return text
    return normal_form.compose(_UNWANTED.sub("", _LINE_ENDS.sub("\n", text)))


def one_line(text: str) -> str:
    """Return the cleaned text with every run of blanks and line ends as one blank."""
    return _BLANKS.sub(" ", clean(text)).strip()


def clip(text: str, limit: int) -> str:
    """Return at most `limit` characters of the text; a cut shows as an ellipsis."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"
