"""What the DNS says of the domains that our letters come from, and what it should say."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address

from service.domain import mail_records, spf
from service.domain.mail_records import GOOD_KEY_BITS, SHORT_KEY_BITS, UnreadableError
from service.domain.spf import Address, RecordError, Tally, Verdict
from service.resolver import NO_MAIL, DnsSilentError, Resolver, reverse_name

# Nobody sends from it, so its way through a record is the longest one.
_NOBODY = IPv4Address("0.0.0.0")  # noqa: S104 - an address to judge, none to listen on
_LONGEST_STRING = 255


class Level(StrEnum):
    """How a finding stands; what is missing or wrong needs somebody's hand."""

    OK = "ok"
    WARN = "warn"
    MISSING = "missing"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: its text id without prefix, and the DNS line that mends it."""

    level: Level
    key: str
    values: Mapping[str, object] = field(default_factory=dict)
    line: str = ""


@dataclass(frozen=True, kw_only=True)
class Domains:
    """Whose records are looked at.

    `addresses` are those the relay sends from; where `are_presumed`, they are only those it
    listens on.
    """

    sender: str
    envelope: str
    reports_to: str
    relay_host: str
    addresses: Sequence[Address] = ()
    selectors: Sequence[str] = ()
    are_presumed: bool = False


async def look(resolver: Resolver, domains: Domains) -> AsyncIterator[Finding]:
    """Yield what is found; without any DNS one finding with the key `no_dns` and nothing else."""
    parts = (
        *(_exchanges(resolver, domains, each) for each in _distinct(domains)),
        _sending(resolver, domains),
        _keys(resolver, domains),
        _policy(resolver, domains),
        _reverse(resolver, domains),
    )
    for part in parts:
        try:
            async for finding in part:
                yield finding
        except DnsSilentError as error:
            if not await resolver.is_reachable():
                yield Finding(Level.WRONG, "no_dns")
                return
            yield Finding(Level.WRONG, "dns_silent", {"name": error.name})


def _distinct(domains: Domains) -> list[str]:
    return list(dict.fromkeys([domains.sender, domains.envelope]))


def txt_line(name: str, text: str) -> str:
    """Write a TXT record as a zone file has it, in strings of 255 octets (RFC 1035 3.3)."""
    size = _LONGEST_STRING
    strings = [text[start : start + size] for start in range(0, len(text), size)]
    return f"{name}. IN TXT " + " ".join(f'"{each}"' for each in strings)


# --- MX -------------------------------------------------------------------------------------------


async def _exchanges(resolver: Resolver, domains: Domains, domain: str) -> AsyncIterator[Finding]:
    values = {"domain": domain}
    line = f"{domain}. IN MX 10 {domains.relay_host or f'mail.{domain}'}."
    exchanges = await resolver.ask("MX", domain)
    if exchanges == [NO_MAIL]:
        yield Finding(Level.WRONG, "mx_refuses", values, line)
    elif not exchanges and await _addresses(resolver, domain):
        yield Finding(Level.WARN, "mx_implicit", values, line)
    elif not exchanges:
        yield Finding(Level.MISSING, "mx_none", values, line)
    else:
        lost = [each for each in exchanges if not await _addresses(resolver, each)]
        if lost:
            yield Finding(Level.WRONG, "mx_lost", values | {"hosts": ", ".join(lost)})
        else:
            yield Finding(Level.OK, "mx", values | {"hosts": ", ".join(exchanges)})


async def _addresses(resolver: Resolver, host: str) -> list[str]:
    return await resolver.ask("A", host) + await resolver.ask("AAAA", host)


# --- SPF ------------------------------------------------------------------------------------------


async def _sending(resolver: Resolver, domains: Domains) -> AsyncIterator[Finding]:
    domain = domains.envelope
    values = {"domain": domain}
    texts = [each for each in await resolver.ask("TXT", domain) if spf.is_record(each)]
    if not texts:
        wanted = " ".join(["v=spf1 mx", *map(_mechanism, domains.addresses), "~all"])
        yield Finding(Level.MISSING, "spf_none", values, txt_line(domain, wanted))
        return
    tally = Tally()
    try:
        await _judge(resolver, _NOBODY, domain, tally)
        record = spf.parse(texts[0])
    except RecordError as error:
        where = values | {"term": error.term, "text": texts[0]}
        yield Finding(Level.WRONG, f"spf_{error.reason}", where)
        return
    yield Finding(Level.OK, "spf_read", values | {"n": tally.lookups, "text": texts[0]})
    if record.ends_with_plus_all:
        yield Finding(Level.WRONG, "spf_everybody", values)
    if tally.unread:
        yield Finding(Level.WARN, "spf_unread", values | {"terms": ", ".join(tally.unread)})
    for address in domains.addresses:
        yield await _passing(resolver, domains, address, texts[0])
    if not domains.addresses:
        yield Finding(Level.WARN, "spf_no_address", values)


async def _passing(resolver: Resolver, domains: Domains, address: Address, text: str) -> Finding:
    domain = domains.envelope
    values = {"domain": domain, "address": address}
    verdict = await _judge(resolver, address, domain, Tally())
    key = "spf_presumed" if domains.are_presumed else "spf"
    if verdict is Verdict.PASSES:
        return Finding(Level.OK, key, values)
    level = Level.WARN if domains.are_presumed else Level.WRONG
    line = txt_line(domain, spf.with_address(text, address))
    return Finding(level, f"{key}_refuses", values | {"verdict": verdict}, line)


async def _judge(resolver: Resolver, address: Address, domain: str, tally: Tally) -> Verdict:
    """Answer the questions of the rules until they come to a verdict."""
    steps = spf.check(address, domain, tally)
    try:
        question = next(steps)
        while True:
            answers = await resolver.ask(question.kind, question.name)
            question = steps.send([each for each in answers if each != NO_MAIL])
    except StopIteration as end:
        return Verdict(end.value)


def _mechanism(address: Address) -> str:
    return f"ip{address.version}:{address}"


# --- DKIM -----------------------------------------------------------------------------------------


async def _keys(resolver: Resolver, domains: Domains) -> AsyncIterator[Finding]:
    if not domains.selectors:
        yield Finding(Level.WARN, "dkim_no_selector", {"domain": domains.sender})
    for selector in domains.selectors:
        name = f"{selector}._domainkey.{domains.sender}"
        texts = await resolver.ask("TXT", name)
        if len(texts) > 1:
            yield Finding(Level.WRONG, "dkim_several", {"name": name})
        elif texts:
            yield _key(name, texts[0])
        else:
            line = txt_line(name, "v=DKIM1; k=rsa; p=...")
            yield Finding(Level.MISSING, "dkim_none", {"name": name}, line)


def _key(name: str, text: str) -> Finding:
    try:
        key = mail_records.read_key(text)
    except UnreadableError:
        return Finding(Level.WRONG, "dkim_unreadable", {"name": name, "text": text})
    ways = (
        (not key.bits, Level.WRONG, "dkim_withdrawn"),
        (key.kind != "rsa", Level.WARN, "dkim_new_kind"),
        (key.bits < SHORT_KEY_BITS, Level.WRONG, "dkim_too_short"),
        (key.bits < GOOD_KEY_BITS, Level.WARN, "dkim_short"),
        (key.is_testing, Level.WARN, "dkim_testing"),
        (True, Level.OK, "dkim"),
    )
    level, found = next((level, found) for holds, level, found in ways if holds)
    return Finding(level, found, {"name": name, "n": key.bits, "kind": key.kind})


# --- DMARC ----------------------------------------------------------------------------------------


async def _policy(resolver: Resolver, domains: Domains) -> AsyncIterator[Finding]:
    sender = domains.sender
    line = _policy_line(domains, sender, "none")
    for holder in mail_records.parents(sender):
        texts = await resolver.ask("TXT", f"_dmarc.{holder}")
        found = [each for each in texts if mail_records.is_policy(each)]
        if len(found) > 1:
            yield Finding(Level.WRONG, "dmarc_several", {"domain": holder})
            return
        if found:
            for finding in _read_policy(domains, holder, found[0]):
                yield finding
            return
    yield Finding(Level.MISSING, "dmarc_none", {"domain": sender}, line)


def _policy_line(domains: Domains, holder: str, policy: str) -> str:
    text = f"v=DMARC1; p={policy}; rua=mailto:{domains.reports_to}"
    return txt_line(f"_dmarc.{holder}", text)


def _read_policy(domains: Domains, holder: str, text: str) -> list[Finding]:
    values: dict[str, object] = {"domain": holder, "text": text}
    try:
        policy = mail_records.read_policy(text)
    except UnreadableError:
        line = _policy_line(domains, holder, "none")
        return [Finding(Level.WRONG, "dmarc_unreadable", values, line)]
    is_own = holder == domains.sender
    counts = policy.policy if is_own else policy.below
    if counts == "none" or policy.percent < 100:  # noqa: PLR2004 - percent
        # What the organisation says for all its domains is not ours to change.
        own = txt_line(f"_dmarc.{holder}", mail_records.stricter(text))
        line = own if is_own else _policy_line(domains, domains.sender, "quarantine")
        first = Finding(Level.WARN, "dmarc_weak", values, line)
    else:
        first = Finding(Level.OK, "dmarc", values | {"policy": counts})
    envelope, strict = domains.envelope, policy.strict_envelope
    fits = mail_records.is_aligned(domains.sender, envelope, holder, strict=strict)
    pair = {"sender": domains.sender, "envelope": envelope}
    key = "alignment" if fits else "alignment_apart"
    return [first, Finding(Level.OK if fits else Level.WARN, key, pair)]


# --- PTR ------------------------------------------------------------------------------------------


async def _reverse(resolver: Resolver, domains: Domains) -> AsyncIterator[Finding]:
    for address in domains.addresses:
        names = await resolver.reverse(address)
        host = domains.relay_host or f"mail.{domains.sender}"
        values = {"address": address, "names": ", ".join(names)}
        line = f"{reverse_name(address)}. IN PTR {host}."
        back = [await _addresses(resolver, each) for each in names]
        # Several names are allowed; one that leads back is enough.
        if not names:
            yield Finding(Level.MISSING, "ptr_none", values, line)
        elif not any(str(address) in each for each in back):
            kind = "A" if isinstance(address, IPv4Address) else "AAAA"
            yield Finding(Level.WRONG, "ptr_astray", values, f"{names[0]}. IN {kind} {address}")
        else:
            yield Finding(Level.OK, "ptr", values)
