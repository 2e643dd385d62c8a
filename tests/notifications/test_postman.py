"""The postman against a real PostgreSQL and real SMTP connections."""


from notifications.postman import Postman
from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import AClerk, a_letter


async def test_a_hundred_letters_reach_their_recipients_once(database: Database) -> None:
    ids = await builders.post(database, *(a_letter(number) for number in range(100)))
    async with smtp_servers.running() as server:
        postman = Postman(database, server.relay(4), AClerk(), builders.SENDER)
        await postman.deliver()
        await postman.stop()

    assert sorted(f"p{one.hex[:12]}@example.org" for one in ids) == sorted(
        mail.recipient for mail in server.mails
    )
    states = await database.fetch("SELECT state, attempts, uncertain_count FROM outbox")
    assert {("sent", 1, 0)} == {tuple(row) for row in states}
