"""A real name server on the loopback, for as long as a test takes."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

Zone = Mapping[tuple[str, str], list[str]]
"""Records by name and type, as a zone file writes them."""

_LONGEST_STRING = 255


def txt(text: str) -> str:
    """Write a text as a zone file does."""
    parts = [text[n : n + _LONGEST_STRING] for n in range(0, len(text), _LONGEST_STRING)]
    return " ".join(f'"{part}"' for part in parts)


@dataclass
class NameServer(asyncio.DatagramProtocol):
    """Answers from a zone; for names that are `broken` it says that it failed."""

    zone: Zone
    broken: Collection[str] = ()
    port: int = 0
    asked: list[tuple[str, str]] = field(default_factory=list)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """Answer one question."""
        answer = self.answer(dns.message.from_wire(data))
        self._transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]

    def answer(self, query: dns.message.Message) -> dns.message.Message:
        """Return what the zone holds, NXDOMAIN, or SERVFAIL."""
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((name, kind))
        response = dns.message.make_response(query)
        response.flags |= dns.flags.RA
        records = self.zone.get((name, kind), [])
        if name in self.broken:
            response.set_rcode(dns.rcode.SERVFAIL)
        elif records:
            response.answer.append(dns.rrset.from_text_list(question.name, 60, "IN", kind, records))
        elif name not in {known for known, _ in self.zone}:
            response.set_rcode(dns.rcode.NXDOMAIN)
        return response


@asynccontextmanager
async def running(zone: Zone, broken: Collection[str] = ()) -> AsyncIterator[NameServer]:
    """Run a name server on a free port of the loopback."""
    server = NameServer(zone, broken)
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: server, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()
