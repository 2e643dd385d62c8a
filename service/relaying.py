"""From the settings to the postman: where letters are handed over, and who writes them."""

import hashlib
import hmac
from datetime import datetime, timedelta

from notifications import outbox, pauses
from notifications.letters import Sender
from notifications.outbox import NewLetter
from notifications.postman import Options
from notifications.relay import RelaySettings
from notifications.returning import ReturnOptions, return_address
from service import blackening, furnishing
from service.furnishing import InstanceData
from service.services import Services
from service.settings import Settings

# When it is unclear whether one of these arrived, a second copy is worse than none.
ONCE_KINDS = ("receipt", "digest")
# People sit in front of the screen and wait for these.
URGENT_KINDS = ("sign_in",)
# These are tried one by one while too much was refused for others to leave: somebody has to hear
# of it, and to come in and see.
PRESSING_KINDS = (*URGENT_KINDS, "alarm")
TRIAL_KIND = "probe"
_TRIAL_EVERY = timedelta(minutes=10)
_TRIAL_LIFE = timedelta(days=1)
_SECONDS_A_MINUTE = 60.0
_OPEN_TRIAL = """
SELECT EXISTS (SELECT FROM letter l JOIN outbox o USING (id)
    WHERE l.kind = $1 AND o.state IN ('queued', 'sending', 'uncertain'))
"""


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
        # In a person's mailbox a report of each success would be a flood.
        notify="SUCCESS,FAILURE,DELAY" if settings.bounce_per_letter else "FAILURE,DELAY",
    )


def return_options(settings: Settings) -> ReturnOptions:
    """Return where reports go, and the secrets by which an address names its letter."""
    secrets = tuple(
        hmac.digest(key.secret, b"bounce\x00" + key.key_id.encode(), hashlib.sha256)
        for key in settings.token_keys.keys
    )
    return ReturnOptions(settings.bounce_address, secrets, per_letter=settings.bounce_per_letter)


def postman_options(services: Services) -> Options:
    """Return how the postman of an installation works."""
    returns = return_options(services.settings)
    return Options(
        pace_seconds=pace_seconds(services.settings),
        once_kinds=ONCE_KINDS,
        urgent_kinds=URGENT_KINDS,
        pressing_kinds=PRESSING_KINDS,
        trial_kind=TRIAL_KIND,
        bounce_address=lambda letter_id: return_address(returns, letter_id),
        strike=blackening.strike,
        clock=services.clock,
    )


async def post_trial(services: Services, now: datetime) -> bool:
    """Post a letter to the office itself until one was accepted; False when none is needed.

    Before that no other letter leaves but those of sign-in. One that was refused is followed by
    the next after ten minutes.
    """
    relay, database = relay_settings(services.settings), services.database
    if relay is None or await pauses.is_tried(database, relay.name):
        return False
    known = await furnishing.look(database)
    if not known.is_ready or await database.fetchval(_OPEN_TRIAL, TRIAL_KIND):
        return False
    office = office_address(services.settings, known.instance)
    letter = NewLetter(
        dedupe_key=f"probe:{relay.name}:{int(now.timestamp() // _TRIAL_EVERY.total_seconds())}",
        kind=TRIAL_KIND,
        recipient_id=None,
        subject_id=None,
        ordering_key=f"probe:{relay.name}",
        not_before=now,
        expires_at=now + _TRIAL_LIFE,
        locale=services.settings.default_locale,
        priority=0,
        recipient_domain=office.rpartition("@")[2].lower(),
    )
    async with database.unit_of_work() as unit:
        return await outbox.post(unit.connection, letter) is not None


def office_address(settings: Settings, instance: InstanceData) -> str:
    """Return where letters to the office itself go."""
    return instance.email or settings.mail_from


def sender(settings: Settings) -> Sender:
    """Return who writes: always the same address, so that people and programs know it."""
    return Sender(settings.mail_from, settings.mail_from_name, settings.mail_domain)


def pace_seconds(settings: Settings) -> float:
    """Return the seconds that lie at least between two letters to one recipient domain."""
    return _SECONDS_A_MINUTE / settings.pace_per_domain
