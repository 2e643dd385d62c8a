"""What members write is heard, whatever its subject and by whichever list it came."""

from pathlib import Path

import pytest

from notifications.bounces import Kind
from service.database import Database
from tests.invited import Invited, somebody_invited
from tests.notifications.builders import a_letter, post
from tests.notifications.returned import events
from tests.service.heard import Hall

WORDS = "Bitte sagen Sie mich ab, Otto kommt für mich."
PLAIN = "termine@alliance.example.org"
BY_LIST = "List-Id: <ag.verein.example>\r\nPrecedence: list\r\n"


@pytest.fixture
def hall(database: Database, tmp_path: Path) -> Hall:
    return Hall(database, tmp_path)


def a_mail(subject: str, head: str = "") -> bytes:
    fields = f"From: Mira <mira@partner.example.org>\r\nSubject: {subject}\r\n{head}"
    words = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    return f"{fields}{words}{WORDS}\r\n".encode()


async def a_letter_about(hall: Hall, guest: Invited) -> str:
    """Return how a mail says that it answers to the invitation's letter."""
    about = a_letter(recipient_id=guest.person_id, subject_id=guest.meeting_id)
    [letter] = await post(hall.database, about)
    return f"In-Reply-To: <{letter}@{hall.settings.mail_domain}>\r\n"


@pytest.mark.parametrize(
    ("subject", "by_list"),
    [("Re: Abwesenheit am 3. Dezember", ""), ("Urlaub", ""), ("Re: Einladung", BY_LIST)],
)
async def test_words_that_answer_to_a_letter_are_kept_whatever_stands_around_them(
    hall: Hall, subject: str, by_list: str
) -> None:
    guest = await somebody_invited(hall.database)
    answers = await a_letter_about(hall, guest)
    taken = await hall.take(a_mail(subject, answers + by_list), PLAIN)

    [event] = await events(hall.database)
    assert (Kind.WORDS, WORDS) == (taken.kind, event["details"]["words"])


@pytest.mark.parametrize("by_envelope", [True, False])
async def test_words_by_a_list_to_an_invitations_own_address_are_kept(
    hall: Hall, *, by_envelope: bool
) -> None:
    own = hall.address(await somebody_invited(hall.database))
    raw = a_mail("Re: Einladung", f"Delivered-To: {own}\r\n{BY_LIST}")
    taken = await hall.take(raw, own if by_envelope else None)

    assert Kind.WORDS is taken.kind


async def test_what_a_list_sends_to_the_office_is_nobodys_answer(hall: Hall) -> None:
    taken = await hall.take(a_mail("Rundbrief", BY_LIST), PLAIN)

    assert Kind.AUTO_REPLY is taken.kind
