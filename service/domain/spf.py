"""Which addresses may send for a domain (RFC 7208), without asking anybody itself.

`check` is a generator: it yields what it wants to know of the DNS and is sent the answer, so the
rules can be read and tested without a network.
"""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Literal

MOST_LOOKUPS = 10
"""RFC 7208 section 4.6.4: receivers stop there and treat the record as broken."""

MOST_VOID_LOOKUPS = 2
_MOST_EXCHANGES = 10

Address = IPv4Address | IPv6Address
Kind = Literal["TXT", "A", "AAAA", "MX"]

_TERM = re.compile(
    r"(?P<sign>[-+~?]?)(?P<name>[a-z0-9]+)(?::(?P<value>[^/\s]\S*?))?"
    r"(?:/(?P<four>\d{1,2}))?(?://(?P<six>\d{1,3}))?",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>\S*)", re.IGNORECASE)
_DOMAIN = re.compile(r"[A-Za-z0-9_%{}](?:[A-Za-z0-9_.%{}+/=-]*[A-Za-z0-9_%{}.])?")
_END = re.compile(r"[-+~?]?all|redirect=\S*", re.IGNORECASE)
_NETWORKS = {"ip4": 4, "ip6": 6}
_ASKING = frozenset({"include", "a", "mx", "ptr", "exists"})
_PREFIXED = frozenset({"a", "mx"})
_NAMED = frozenset({"include", "exists"})
_LONGEST_PREFIX = {"four": 32, "six": 128}


class Verdict(StrEnum):
    """What a receiver makes of a letter from this address (RFC 7208 section 2.6)."""

    PASSES = "pass"
    FAIL = "fail"
    SOFTFAIL = "softfail"
    NEUTRAL = "neutral"
    NONE = "none"
    BROKEN = "permerror"


_BY_SIGN = {
    "": Verdict.PASSES,
    "+": Verdict.PASSES,
    "-": Verdict.FAIL,
    "~": Verdict.SOFTFAIL,
    "?": Verdict.NEUTRAL,
}


class RecordError(Exception):
    """A record that receivers cannot read; `term` is where they stop."""

    def __init__(self, reason: str, term: str = "") -> None:
        super().__init__(f"{reason}: {term}" if term else reason)
        self.reason = reason
        self.term = term


@dataclass(frozen=True, slots=True)
class Question:
    """What has to be looked up; the answer is a list of texts, empty where nothing is there."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism: whom it means, and what is to become of them."""

    verdict: Verdict
    name: str
    value: str = ""
    four: int = 32
    six: int = 128


@dataclass(frozen=True, slots=True)
class Record:
    """A record in the order of its mechanisms; `redirect` is asked when none of them fits."""

    terms: tuple[Term, ...]
    redirect: str = ""

    @property
    def ends_with_plus_all(self) -> bool:
        """Whether anybody at all may send for the domain."""
        return any(term.name == "all" and term.verdict is Verdict.PASSES for term in self.terms)


@dataclass(slots=True)
class Tally:
    """What an evaluation cost so far; several domains that include each other share it."""

    lookups: int = 0
    void: int = 0
    unread: list[str] = field(default_factory=list)

    def count(self, term: str) -> None:
        """Count one lookup, or raise `RecordError` where receivers stop."""
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            raise RecordError("lookups", term)

    def see(self, answers: Sequence[str], term: str) -> None:
        """Count an answer that is empty (RFC 7208 section 4.6.4)."""
        self.void += not answers
        if self.void > MOST_VOID_LOOKUPS:
            raise RecordError("void", term)


Steps = Generator[Question, list[str], Verdict]


def is_record(text: str) -> bool:
    """Tell whether a TXT record is one of SPF (RFC 7208 section 4.5)."""
    return text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")


def parse(text: str) -> Record:
    """Read a record, or raise `RecordError` with the term that is against the grammar."""
    terms: list[Term] = []
    modifiers: dict[str, str] = {}
    for word in text.split(" ")[1:]:
        if not word:
            continue
        if found := _MODIFIER.fullmatch(word):
            name = found["name"].lower()
            if name in {"redirect", "exp"} and (name in modifiers or not found["value"]):
                raise RecordError("syntax", word)
            modifiers[name] = found["value"]
        else:
            terms.append(_parse_term(word))
    return Record(tuple(terms), modifiers.get("redirect", ""))


def _parse_term(word: str) -> Term:
    name = word.lstrip("-+~?").partition(":")[0].partition("/")[0].lower()
    if name in _NETWORKS:
        return _parse_network(word, name)
    found = _TERM.fullmatch(word)
    if found is None or name not in {*_ASKING, "all"} or not _fits(name, found):
        raise RecordError("syntax", word)
    sizes = {each: int(found[each] or most) for each, most in _LONGEST_PREFIX.items()}
    if any(size > _LONGEST_PREFIX[each] for each, size in sizes.items()):
        raise RecordError("syntax", word)
    return Term(_BY_SIGN[found["sign"]], name, found["value"] or "", **sizes)


def _fits(name: str, found: re.Match[str]) -> bool:
    """Tell whether a mechanism has what it needs, and nothing that it must not have."""
    value = found["value"] or ""
    if name not in _PREFIXED and (found["four"] or found["six"]):
        return False
    if name == "all":
        return not value
    return bool(_DOMAIN.fullmatch(value)) if value else name not in _NAMED


def _parse_network(word: str, name: str) -> Term:
    sign = word[0] if word[0] in "-+~?" else ""
    value = word.partition(":")[2]
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        raise RecordError("syntax", word) from None
    if network.version != _NETWORKS[name]:
        raise RecordError("syntax", word)
    return Term(_BY_SIGN[sign], name, value)


def check(address: Address, domain: str, tally: Tally) -> Steps:
    """Judge a sending address for a domain; raise `RecordError` where receivers give up.

    `ptr`, `exists` and macros are counted and never match; `tally.unread` names them.
    """
    found = [text for text in (yield Question("TXT", domain)) if is_record(text)]
    if not found:
        return Verdict.NONE
    if len(found) > 1:
        raise RecordError("several", domain)
    record = parse(found[0])
    for term in record.terms:
        if (yield from _matches(term, address, domain, tally)):
            return term.verdict
    if not record.redirect or any(term.name == "all" for term in record.terms):
        return Verdict.NEUTRAL
    tally.count(f"redirect={record.redirect}")
    verdict = yield from check(address, record.redirect, tally)
    if verdict is Verdict.NONE:
        raise RecordError("nothing", record.redirect)
    return verdict


def _matches(
    term: Term, address: Address, domain: str, tally: Tally
) -> Generator[Question, list[str], bool]:
    target, shown = term.value or domain, f"{term.name}:{term.value or domain}"
    if term.name == "all":
        return True
    if term.name in _NETWORKS:
        return address in ip_network(term.value, strict=False)
    tally.count(shown)
    if "%" in target or term.name in {"ptr", "exists"}:
        tally.unread.append(shown)
        return False
    if term.name == "include":
        verdict = yield from check(address, target, tally)
        if verdict is Verdict.NONE:
            raise RecordError("nothing", target)
        return verdict is Verdict.PASSES
    names = [target]
    if term.name == "mx":
        names = yield Question("MX", target)
        tally.see(names, shown)
    return (yield from _is_one_of(term, names, address, tally))


def _is_one_of(
    term: Term, names: Sequence[str], address: Address, tally: Tally
) -> Generator[Question, list[str], bool]:
    """Tell whether one of these hosts has the address, or lies in the same network as wide."""
    if len(names) > _MOST_EXCHANGES:
        raise RecordError("exchanges", term.value)
    kind: Kind = "A" if isinstance(address, IPv4Address) else "AAAA"
    size = term.four if kind == "A" else term.six
    for name in names:
        found = yield Question(kind, name)
        if term.name == "a":
            tally.see(found, f"a:{name}")
        if any(address in ip_network(f"{ip_address(each)}/{size}", strict=False) for each in found):
            return True
    return False


def with_address(text: str, address: Address) -> str:
    """Return a record that lets the address send: before whatever ends the record."""
    words = text.split()
    ends = (n for n, word in enumerate(words) if _END.fullmatch(word))
    place = next(ends, len(words))
    return " ".join([*words[:place], f"ip{address.version}:{address}", *words[place:]])
