"""Without the address of an invitation only the proved address of the member itself answers."""

from pathlib import Path

import pytest

from service.database import Database
from tests.calendars.replying_programs import UID, mail
from tests.invited import Invited, somebody_invited
from tests.service.heard import Hall

PLAIN = "termine@alliance.example.org"
MIRA = "mira@partner.example.org"
EVE = "eve@evil.example"


@pytest.fixture
def hall(database: Database, tmp_path: Path) -> Hall:
    return Hall(database, tmp_path)


async def answer(hall: Hall, invited: Invited, head: str, attendee: str) -> tuple[str, int]:
    """Let somebody decline with this ATTENDEE line; return what became of it, and the trust."""
    said = await hall.about(invited)
    ics = [
        *("BEGIN:VCALENDAR", "METHOD:REPLY", "BEGIN:VEVENT", f"UID:{said.uid}", "SEQUENCE:0"),
        *(f"DTSTAMP:{said.stamp}", f"ATTENDEE;{attendee}", "END:VEVENT", "END:VCALENDAR", ""),
    ]
    part = "MIME-Version: 1.0\nContent-Type: text/calendar; method=REPLY"
    await hall.take(mail(f"{head}\n{part}", "\n".join(ics)), PLAIN)
    trust = await hall.database.fetchval("SELECT trust FROM calendar_answer ORDER BY id DESC")
    return await hall.last(), trust


def proved(address: str, more: str = "") -> str:
    """Return the head of a mail that our own server found to be from this address."""
    domain = address.rpartition("@")[2]
    found = f"Authentication-Results: mx.alliance.example.org; dmarc=pass header.from={domain}"
    return f"{found}\nFrom: {address}\nMessage-ID: <1@{domain}>{more}"


@pytest.mark.parametrize(
    "attendee",
    [
        f"EMAIL={EVE};PARTSTAT=DECLINED:mailto:{MIRA}",
        f"EMAIL={MIRA};PARTSTAT=DECLINED:mailto:{EVE}",
        # Who answers in the place of an address that is on the line has no name of their own.
        f'EMAIL={EVE};SENT-BY="mailto:{EVE}";PARTSTAT=DECLINED:mailto:{MIRA}',
        f'SENT-BY="mailto:{EVE}";PARTSTAT=DECLINED:mailto:{MIRA}',
    ],
)
async def test_an_address_that_the_answer_adds_to_the_member_s_proves_nothing(
    hall: Hall, attendee: str
) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    became = await answer(hall, invited, proved(EVE), attendee)

    assert ("unconfirmed", 4) == became
    assert None is (await hall.stands(invited))["answer"]


async def test_a_relay_speaks_for_no_address_that_the_answer_adds(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    head = proved("calendar-notification@google.com", f"\nReply-To: {EVE}")
    became = await answer(hall, invited, head, f"EMAIL={EVE};PARTSTAT=DECLINED:mailto:{MIRA}")

    assert ("unconfirmed", 4) == became
    assert None is (await hall.stands(invited))["answer"]


@pytest.mark.parametrize(
    "attendee",
    [
        f"EMAIL=mira.muster@alias.example;PARTSTAT=DECLINED:mailto:{MIRA}",
        f"EMAIL={MIRA};PARTSTAT=DECLINED:urn:uuid:{UID}",
    ],
)
async def test_the_member_s_own_proved_address_counts_wherever_the_line_names_it(
    hall: Hall, attendee: str
) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    became = await answer(hall, invited, proved(MIRA), attendee)

    assert ("applied", 2) == became
    assert "declined" == (await hall.stands(invited))["answer"]
