"""Letters that may be with somebody when the key of all links is replaced."""

from dataclasses import replace

import pytest

from notifications.postman import Postman
from service.composing import Clerk
from service.services import Services
from service.tokens import Key, Keys
from tests import builders
from tests.notifications import smtp_servers
from tests.notifications.builders import SENDER
from tests.notifications.smtp_servers import CLOSE, Server
from tests.notifications.test_postman import deliver, make_due
from tests.service import test_composing
from tests.service.test_composing import a_letter, a_session

ready, services = test_composing.ready, test_composing.services

OLD, NEW = Key("k1", b"o" * 32), Key("k2", b"n" * 32)


def a_postman(services: Services, server: Server, *keys: Key) -> Postman:
    clerk = Clerk(replace(services, keys=Keys(keys)))
    return Postman(services.database, server.relay(), clerk, SENDER)


@pytest.mark.parametrize(
    ("keys", "fate", "copies"),
    [((NEW, OLD), ("sent", None), 2), ((NEW,), ("dead", "bytes_differ"), 1)],
)
async def test_they_leave_as_they_were_while_the_old_key_is_still_there(
    services: Services, keys: tuple[Key, ...], fate: tuple[str, str | None], copies: int
) -> None:
    database = services.database
    meeting, person = await a_session(database), await builders.a_person(database)
    await builders.an_invitation(database, meeting, person)
    await a_letter(database, "invitation", person, meeting)
    answers = iter([CLOSE])
    async with smtp_servers.running(
        lambda line, _: next(answers, None) if line == "." else None
    ) as server:
        await deliver(a_postman(services, server, OLD))
        await make_due(database)
        await deliver(a_postman(services, server, *keys))
    row = await database.fetchrow("SELECT state, reason FROM outbox")

    assert row is not None
    assert fate == tuple(row)
    assert [server.mails[0].raw] * copies == [mail.raw for mail in server.mails]
