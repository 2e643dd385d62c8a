"""The character sets of mail, a closed list: a sender must not choose how long reading takes.

Of the codecs of the language some are no character sets (rot13), some take the square of the
text's length (punycode, idna), and some run what they read as escapes.
"""

import encodings
import encodings.aliases
from email.message import Message
from typing import Any

# A type that is longer says its character set in a set of the sender's choice, at any length.
_TYPE_LIMIT = 1_000
_UNKNOWN = "unknown-8bit"

_KNOWN = frozenset({
    *("ascii", "latin_1", "utf_8", "utf_8_sig", "utf_7", "utf_16", "utf_16_be", "utf_16_le"),
    *(f"iso8859_{number}" for number in (*range(1, 12), *range(13, 17))),
    *(f"cp{number}" for number in (437, 850, 852, 858, 866, 874, 932, 949, 950)),
    *(f"cp{number}" for number in range(1250, 1259)),
    *("koi8_r", "koi8_u", "mac_roman", "tis_620"),
    *("big5", "big5hkscs", "gb2312", "gbk", "gb18030", "hz"),
    *("shift_jis", "euc_jp", "iso2022_jp", "euc_kr", "iso2022_kr"),
})  # fmt: skip


def known(name: str) -> str | None:
    """Return the codec of a character set by any of its names, None for one that is not of mail."""
    plain = encodings.normalize_encoding(name.strip().lower()) if name.isascii() else ""
    codec = encodings.aliases.aliases.get(plain, plain)
    return codec if codec in _KNOWN else None


def settle(mail: "Message[Any, Any]") -> None:
    """Rename in a mail, in place, what is no character set of mail: the library decodes by any.

    It does so even where nobody asks for text. A part whose type is endless becomes plain text.
    """
    for part in mail.walk():
        if part.is_multipart():
            continue
        if len(str(part.get("Content-Type", ""))) > _TYPE_LIMIT:
            part.replace_header("Content-Type", f"text/plain; charset={_UNKNOWN}")
        said = part.get_content_charset()
        if said is not None and known(said) is None:
            part.set_param("charset", _UNKNOWN)
