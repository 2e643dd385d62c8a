"""Letters that are tried again after the secrets in their links were replaced."""

from collections import Counter

import pytest

from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import LINK, AClerk, a_letter
from tests.notifications.smtp_servers import CLOSE
from tests.notifications.test_postman import a_postman, deliver, make_due, states

OLD = {"name": "Erika Müller", "link_answer": LINK}
NEW = {"name": "Erika Müller", "link_answer": LINK + "z"}
NEWER = {"name": "Erika Müller", "link_answer": LINK + "y"}


async def tried_twice(
    database: Database, answer: str, at: str, *former: dict[str, str]
) -> tuple[Counter[str], list[bytes]]:
    """Answer the first try so, replace the secret, and try again; return states and mails."""
    [one] = await builders.post(database, a_letter())
    answers = iter([answer])
    clerk = AClerk(former=list(former))
    async with smtp_servers.running(
        lambda line, _: next(answers, None) if line.startswith(at) else None
    ) as server:
        await deliver(a_postman(database, server, clerk))
        await make_due(database)
        clerk.verdicts[one] = clerk.go(one, values=NEW)
        await deliver(a_postman(database, server, clerk))
    return await states(database), [mail.raw for mail in server.mails]


async def test_what_may_be_with_somebody_leaves_with_its_former_secret(database: Database) -> None:
    found, mails = await tried_twice(database, CLOSE, ".", NEWER, OLD)

    assert Counter(sent=1) == found
    assert [mails[0]] * 2 == mails


async def test_without_that_secret_it_is_given_up(database: Database) -> None:
    found, mails = await tried_twice(database, CLOSE, ".", NEWER)

    assert (Counter(dead=1), 1) == (found, len(mails))


@pytest.mark.parametrize("at", ["RCPT", "."])
async def test_what_was_refused_for_now_is_written_anew(database: Database, at: str) -> None:
    """Nobody has it, whether it was refused before its words were said or after them."""
    found, mails = await tried_twice(database, "451 4.3.0 later", at)

    assert Counter(sent=1) == found
    assert LINK[-9:].encode() + b"z" in mails[-1].replace(b"=\r\n", b"")
