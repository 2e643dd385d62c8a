"""What a mail server is told of a letter before its content."""

from dataclasses import dataclass
from uuid import UUID

from notifications import headers


@dataclass(frozen=True, slots=True)
class SmtpEnvelope:
    """From whom to whom, and the name and size that are announced; odd addresses: ValueError."""

    sender: str
    recipient: str
    letter_id: UUID | None = None
    size: int = 0

    def __post_init__(self) -> None:
        # Both are checked again, whoever has done so before: they stand on a line of commands.
        object.__setattr__(self, "sender", headers.check_address(self.sender))
        object.__setattr__(self, "recipient", headers.check_address(self.recipient))

    def commands(self, *, knows_size: bool, notify: str | None) -> tuple[bytes, bytes]:
        """Write MAIL and RCPT with what the server offered (RFC 1870, RFC 3461)."""
        mail = f" SIZE={self.size}" if knows_size and self.size else ""
        rcpt = ""
        if notify is not None and self.letter_id is not None:
            mail += f" RET=HDRS ENVID={self.letter_id}"
            rcpt = f" NOTIFY={notify}"
        return (
            f"MAIL FROM:<{self.sender}>{mail}\r\n".encode(),
            f"RCPT TO:<{self.recipient}>{rcpt}\r\n".encode(),
        )
