"""What arrives when everything in the outbox leaves now."""

import email
import email.policy
from email.message import EmailMessage

from notifications.postman import Options, Postman
from service import relaying
from service.composing import Clerk
from service.services import Services
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Mail


async def deliver(services: Services) -> list[EmailMessage]:
    """Let all due letters leave to a mail server, and return them in the order of arrival."""
    return [_read(mail.raw) for mail in await deliver_raw(services)]


async def deliver_raw(services: Services) -> list[Mail]:
    """Do the same, and return what the mail server got."""
    async with smtp_servers.running() as server:
        postman = Postman(
            services.database,
            server.relay(),
            Clerk(services),
            relaying.sender(services.settings),
            Options(clock=services.clock),
        )
        await postman.deliver()
        await postman.stop()
    return server.mails


def text_of(message: EmailMessage) -> str:
    """Return the plain text of a letter."""
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def _read(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message
