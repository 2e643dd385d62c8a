"""Ask the DNS, and tell "there is nothing" from "nobody answers"."""

from collections.abc import Iterator
from typing import Any

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import dns.reversename

from service.domain.spf import Address

SECONDS = 5.0
"""Long enough for a cold cache; a record that takes longer is lost on receivers too."""

NO_MAIL = "."
"""The one exchange of a domain that takes no mail (RFC 7505)."""

_SILENT = (
    dns.resolver.LifetimeTimeout,
    dns.resolver.NoNameservers,
    dns.resolver.NoResolverConfiguration,
    OSError,
)


class DnsSilentError(Exception):
    """No name server answers for this name; what it holds is not known."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class Resolver:
    """Looks up names; every answer is kept for as long as this object lives."""

    def __init__(
        self, nameserver: str | None = None, *, port: int = 53, seconds: float = SECONDS
    ) -> None:
        self._nameserver, self._port, self._seconds = nameserver, port, seconds
        self._resolver: dns.asyncresolver.Resolver | None = None
        self._kept: dict[tuple[str, str], list[str]] = {}

    async def is_reachable(self) -> bool:
        """Tell whether any name server answers at all; where one has, the root is not asked."""
        if self._kept:
            return True
        try:
            await self._opened().resolve(dns.name.root, "NS", raise_on_no_answer=False)
        except _SILENT:
            return False
        except dns.resolver.NXDOMAIN:
            # An odd answer, but one.
            pass
        return True

    async def ask(self, kind: str, name: str) -> list[str]:
        """Return the records of a name as texts, empty where there are none.

        Raise `DnsSilentError` when nobody answers. Exchanges come in the order of preference.
        """
        key = kind, name.lower().rstrip(".")
        if key not in self._kept:
            try:
                self._kept[key] = await self._resolve(kind, name)
            except _SILENT as error:
                raise DnsSilentError(name) from error
        return self._kept[key]

    async def reverse(self, address: Address) -> list[str]:
        """Return the names of an address."""
        return await self.ask("PTR", reverse_name(address))

    async def _resolve(self, kind: str, name: str) -> list[str]:
        resolver = self._opened()
        try:
            asked = dns.name.from_text(name)
            answer = await resolver.resolve(asked, kind, raise_on_no_answer=False, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.YXDOMAIN):
            return []
        except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong, UnicodeError):
            # A name that cannot exist holds nothing.
            return []
        return list(_texts(kind, answer.rrset or ()))

    def _opened(self) -> dns.asyncresolver.Resolver:
        if self._resolver is None:
            # Reading the system's configuration may find none, which is silence as well.
            made = dns.asyncresolver.Resolver(configure=self._nameserver is None)
            if self._nameserver is not None:
                made.nameservers, made.port = [self._nameserver], self._port
            made.lifetime, made.timeout = self._seconds, self._seconds / 2
            self._resolver = made
        return self._resolver


def reverse_name(address: Address) -> str:
    """Return the name under which the DNS keeps an address, without the last dot."""
    return dns.reversename.from_address(str(address)).to_text(omit_final_dot=True)


def _texts(kind: str, records: Any) -> Iterator[str]:
    if kind == "MX":
        for record in sorted(records, key=lambda each: each.preference):
            yield record.exchange.to_text(omit_final_dot=True)
    for record in records if kind != "MX" else ():
        if kind == "TXT":
            yield b"".join(record.strings).decode("utf-8", "replace")
        elif kind == "PTR":
            yield record.target.to_text(omit_final_dot=True)
        else:
            yield record.address
