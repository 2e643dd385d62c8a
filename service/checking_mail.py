"""`terminbuch check mail`: say whether others believe our letters, and what the DNS lacks."""

import ssl
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import escape
from ipaddress import ip_address
from typing import Any
from uuid import uuid4

from notifications import letters
from notifications.backoff import Phase
from notifications.envelopes import SmtpEnvelope
from notifications.letters import Draft, Envelope
from notifications.relay import LOOPBACK, Link, RelaySettings, SmtpError, Welcome
from service import checking_domain, relaying
from service.checking_domain import Domains, Finding, Level
from service.domain.spf import Address
from service.domain.texts import clean_line
from service.pages import dates
from service.pages.catalogue import Texts, texts
from service.resolver import DnsSilentError, Resolver
from service.settings import Settings

DONE, NEEDS_A_HAND, NO_DNS = 0, 1, 2

ENDS_SOON = timedelta(days=21)
LARGEST_LETTER = 1_000_000
"""Octets; our letters have some 12 kB, papers that are attached later may have more."""

_HARMLESS = frozenset({Level.OK, Level.WARN})
# How it is to be without them. Our letters have seven bits, so the last one is never missed.
_WISHED = {"pipelining": Level.WARN, "dsn": Level.WARN, "8bitmime": Level.OK}


@dataclass(frozen=True, kw_only=True)
class Inquiry:
    """What the operator wants to know, beside what the settings say."""

    locale: str = "de"
    selectors: Sequence[str] = ()
    addresses: Sequence[Address] = ()
    to: str | None = None


async def run(
    settings: Settings,
    inquiry: Inquiry,
    resolver: Resolver,
    now: datetime,
    say: Callable[[str], object],
) -> int:
    """Print one line a finding; return 1 when something needs a hand, 2 without any DNS."""
    t, found = texts(inquiry.locale), list[Finding]()
    async for finding in _look(settings, inquiry, resolver, now):
        found.append(finding)
        for line in lines(finding, t):
            say(line)
    if any(each.key == "no_dns" for each in found):
        return NO_DNS
    return DONE if all(each.level in _HARMLESS for each in found) else NEEDS_A_HAND


def lines(finding: Finding, t: Texts) -> list[str]:
    """Write a finding in words, and below it the line that the DNS lacks."""
    label = t.t(f"check_mail.level.{finding.level}")
    values = {name: _shown(value, t.locale) for name, value in finding.values.items()}
    said = [f"{label:<9}{t.t(f'check_mail.{finding.key}', **values)}"]
    return [*said, f"{'':<9}DNS: {clean_line(finding.line)}"] if finding.line else said


def _shown(value: object, locale: str) -> object:
    if isinstance(value, datetime):
        return dates.format_short_date(value, locale)
    # Records and replies come from strangers, and a terminal obeys what is in them.
    return clean_line(value) if isinstance(value, str) else value


async def _look(
    settings: Settings, inquiry: Inquiry, resolver: Resolver, now: datetime
) -> AsyncIterator[Finding]:
    domain = settings.mail_from.rpartition("@")[2].lower()
    if "." in domain:
        domains = await _domains(settings, inquiry, resolver)
        async for finding in checking_domain.look(resolver, domains):
            yield finding
    else:
        yield Finding(Level.WRONG, "no_sender", {"address": settings.mail_from})
    relay = relaying.relay_settings(settings)
    if relay is None:
        yield Finding(Level.WRONG, "no_relay")
        return
    async for finding in look_at_relay(relay, now):
        yield finding
    if inquiry.to is not None:
        yield await send_trial(relay, settings, inquiry.to, inquiry.locale, now)


async def _domains(settings: Settings, inquiry: Inquiry, resolver: Resolver) -> Domains:
    host = settings.smtp_host or ""
    is_name = host not in LOOPBACK and _literal(host) is None
    given = list(inquiry.addresses)
    return Domains(
        sender=settings.mail_from.rpartition("@")[2].lower(),
        envelope=settings.bounce_address.rpartition("@")[2].lower(),
        reports_to=settings.mail_from,
        relay_host=host if is_name else "",
        addresses=given or await _presumed(host, resolver),
        selectors=inquiry.selectors,
        are_presumed=not given,
    )


async def _presumed(host: str, resolver: Resolver) -> list[Address]:
    """Return where the relay listens; many send from there as well."""
    if not host or host in LOOPBACK:
        return []
    if literal := _literal(host):
        return [literal]
    try:
        found = [*await resolver.ask("A", host), *await resolver.ask("AAAA", host)]
    except DnsSilentError:
        return []
    return [ip_address(each) for each in found]


def _literal(host: str) -> Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


async def look_at_relay(relay: RelaySettings, now: datetime) -> AsyncIterator[Finding]:
    """Yield what the relay offers, in the mode in which letters go there; log in, send nothing."""
    link = Link(relay)
    try:
        welcome = await link.look()
    except (SmtpError, OSError, TimeoutError) as error:
        yield _refused(relay, error)
        return
    finally:
        await link.leave()
    yield Finding(Level.OK, f"relay_{relay.mode}", {"relay": relay.name})
    if welcome.certificate:
        yield _certificate(welcome.certificate, now)
    for finding in _extensions(relay, welcome):
        yield finding


def _refused(relay: RelaySettings, error: Exception) -> Finding:
    values = {"relay": relay.name, "reason": str(error)}
    if not isinstance(error, SmtpError):
        return Finding(Level.WRONG, "relay_away", values)
    doubt = _doubt(error)
    if doubt is not None:
        values["reason"] = doubt.verify_message
        return Finding(Level.WRONG, "certificate_doubtful", values)
    if error.phase is Phase.TLS:
        return Finding(Level.WRONG, "tls_refused", values)
    if error.phase is Phase.AUTH:
        return Finding(Level.WRONG, "login_refused", values)
    return Finding(Level.WRONG, "relay_away", values)


def _doubt(error: BaseException | None) -> ssl.SSLCertVerificationError | None:
    """Return why the certificate was not believed, which is what the handshake failed of."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error
        error = error.__cause__ or error.__context__
    return None


def _certificate(certificate: Mapping[str, Any], now: datetime) -> Finding:
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
    names = [name for kind, name in certificate.get("subjectAltName", ()) if kind != "URI"]
    values = {"names": ", ".join(names), "day": ends_at, "n": (ends_at - now).days}
    if ends_at - now < ENDS_SOON:
        return Finding(Level.WARN, "certificate_ends", values)
    return Finding(Level.OK, "certificate", values)


def _extensions(relay: RelaySettings, welcome: Welcome) -> list[Finding]:
    found = [_size(welcome)]
    for name, without in _WISHED.items():
        is_there = name in welcome.extensions
        key = f"ehlo_{name}" if is_there else f"ehlo_no_{name}"
        found.append(Finding(Level.OK if is_there else without, key))
    methods = welcome.extensions.get("auth")
    if methods and not relay.user:
        found.append(Finding(Level.WARN, "ehlo_auth_unused", {"methods": methods}))
    elif relay.user:
        found.append(Finding(Level.OK, "ehlo_auth", {"methods": methods or "-"}))
    return found


def _size(welcome: Welcome) -> Finding:
    given = welcome.extensions.get("size", "")
    if "size" not in welcome.extensions:
        return Finding(Level.WARN, "ehlo_no_size")
    # Nothing and 0 both mean that no size is fixed (RFC 1870 section 4).
    most = int(given) if given.isdecimal() else 0
    if not most:
        return Finding(Level.OK, "ehlo_size_open")
    level = Level.OK if most >= LARGEST_LETTER else Level.WARN
    key = "ehlo_size" if level is Level.OK else "ehlo_size_small"
    return Finding(level, key, {"megabytes": f"{most / 1e6:.1f}"})


async def send_trial(
    relay: RelaySettings, settings: Settings, to: str, locale: str, now: datetime
) -> Finding:
    """Hand a trial letter over, past the outbox, and return what the relay said to it."""
    link = Link(relay)
    try:
        raw = _trial(settings, to, locale, now)
        await link.address(SmtpEnvelope(settings.bounce_address, to, size=len(raw)))
        words = await link.transfer(raw)
    except ValueError:
        return Finding(Level.WRONG, "trial_address", {"to": to})
    except (SmtpError, OSError, TimeoutError) as error:
        return Finding(Level.WRONG, "trial_refused", {"to": to, "reason": str(error)})
    finally:
        await link.leave()
    return Finding(Level.OK, "trial", {"to": to, "reply": words})


def _trial(settings: Settings, to: str, locale: str, now: datetime) -> bytes:
    t = texts(locale).t
    title = t("check_mail.letter.title")
    body = t("check_mail.letter.text", url=settings.public_url)
    html = (
        f'<!DOCTYPE html><html lang="{locale}"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title></head><body><p>{escape(body)}</p></body></html>"
    )
    frozen = letters.prototype(Draft(title, body, html), relaying.sender(settings), locale)
    return letters.render(frozen, {}, Envelope(uuid4(), to), now.replace(microsecond=0))
