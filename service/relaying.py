"""From the settings to the postman: where letters are handed over, and who writes them."""

from notifications.letters import Sender
from notifications.relay import RelaySettings
from service.settings import Settings

# When it is unclear whether one of these arrived, a second copy is worse than none.
ONCE_KINDS = ("receipt",)
_SECONDS_A_MINUTE = 60.0


def relay_settings(settings: Settings) -> RelaySettings | None:
    """Return the mail server to hand letters to, or None where none is set."""
    if settings.smtp_host is None:
        return None
    return RelaySettings(
        host=settings.smtp_host,
        port=settings.smtp_port,
        mode=settings.smtp_mode,
        user=settings.smtp_user,
        password=settings.smtp_password,
        local_hostname=settings.mail_domain,
        connections=settings.smtp_connections,
    )


def sender(settings: Settings) -> Sender:
    """Return who writes: always the same address, so that people and programs know it."""
    return Sender(settings.mail_from, settings.mail_from_name, settings.mail_domain)


def pace_seconds(settings: Settings) -> float:
    """Return the seconds that lie at least between two letters to one recipient domain."""
    return _SECONDS_A_MINUTE / settings.pace_per_domain
