"""What a structured mail header says in words of its own, outside of quotes and comments.

Strangers choose what stands in quotes and comments, so only the rest has a meaning (RFC 5322
section 3.2, RFC 8601 section 2.2).
"""

QUOTED = '""'
"""Stands for a quoted string, so that what was beside it does not become one word."""


class UnclearError(ValueError):
    """Quotes or brackets do not come in pairs, so nobody can tell what stands outside of them."""


def unquote(text: str) -> str:
    """Return a header's text with a blank for each comment and `QUOTED` for each quoted string.

    Runs of blanks become one. Raise `UnclearError` where a quote or bracket has no counterpart.
    """
    kept: list[str] = []
    depth, is_quoted = 0, False
    signs = iter(text)
    for sign in signs:
        if sign == "\\":
            # It takes the next sign's meaning away, whatever that is; outside it has none itself.
            if next(signs, "") == "" or not (is_quoted or depth):
                raise UnclearError
        elif is_quoted:
            is_quoted = sign != '"'
        elif sign in "()":
            depth += 1 if sign == "(" else -1
            kept.append(" ")
        elif not depth:
            is_quoted = sign == '"'
            kept.append(QUOTED if is_quoted else sign)
        if depth < 0:
            raise UnclearError
    if is_quoted or depth:
        raise UnclearError
    return " ".join("".join(kept).split())
