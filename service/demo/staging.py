"""Put the alliance's data into an empty database, and one session that is about to begin.

Everything goes in through the use cases that the office itself uses; only time is pretended where
something has to have happened three weeks ago.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from pathlib import Path
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from service import (
    app,
    authenticating,
    furnishing,
    importing,
    noticing,
    planning,
    reminding,
    replying,
    scheduling,
)
from service.auditing import COMMAND, Actor
from service.database import Database
from service.demo.catcher import MailCatcher
from service.demo.texts import LEGAL_TEXTS
from service.domain.meeting_forms import MeetingForm
from service.domain.reminders import COMING, Kind, Rule
from service.domain.words import Answer, Mode, Role, State, Way
from service.replying import Reply
from service.services import Services
from service.settings import Settings

COORDINATOR = "koordination@example.org"
LEAD = "leitung-klima@example.org"
ZONE = ZoneInfo("Europe/Berlin")
REMIND_MINUTES = 60
FILES: tuple[tuple[importing.Kind, str], ...] = (
    (importing.Kind.MEETINGS, "alliance.json"),
    (importing.Kind.PARTNERS, "partners.csv"),
    (importing.Kind.MEMBERS, "members.csv"),
)

_MARK_TOLD = """
UPDATE outbox SET state = 'sent', accepted_at = created_at, finished_at = created_at
WHERE state = 'queued'
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the play happens: the running parts, the letter box, and the prepared session."""

    services: Services
    catcher: MailCatcher
    coordinator_id: UUID
    soon_id: UUID

    @property
    def base(self) -> str:
        """The address of the pages."""
        return self.services.settings.public_url


def demo_settings(data_dir: Path, port: int, smtp_port: int) -> Settings:
    """Return settings that keep everything on this machine."""
    return Settings.read(
        {
            "TERMINBUCH_DATA_DIR": str(data_dir),
            "TERMINBUCH_PORT": str(port),
            "TERMINBUCH_PUBLIC_URL": f"http://localhost:{port}",
            "TERMINBUCH_SMTP_HOST": "127.0.0.1",
            "TERMINBUCH_SMTP_PORT": str(smtp_port),
            "TERMINBUCH_SMTP_MODE": "plain",
            "TERMINBUCH_MAIL_FROM": "termine@example.org",
            "TERMINBUCH_MAIL_FROM_NAME": "Geschäftsstelle Aktionsbündnis",
            # One invented domain holds all members, so a pace per domain would slow everything.
            "TERMINBUCH_PACE_PER_DOMAIN": "10000",
            "TERMINBUCH_SMTP_CONNECTIONS": "4",
        }
    )


@asynccontextmanager
async def set_up(data_dir: Path, port: int, *, due_in: timedelta) -> AsyncIterator[Stage]:
    """Open everything on an empty database, with a reminder that falls due in `due_in`."""
    catcher = MailCatcher()
    await catcher.start()
    try:
        settings = demo_settings(data_dir, port, catcher.port)
        async with app.open_services(settings) as services:
            yield await _furnish(services, catcher, due_in)
    finally:
        await catcher.stop()


async def _furnish(services: Services, catcher: MailCatcher, due_in: timedelta) -> Stage:
    database, now = services.database, services.clock()
    await _load_alliance(database, now)
    coordinator_id = await _add_accounts(database)
    actor = Actor("account", coordinator_id, "Koordination")
    soon_id = await _prepare_session(database, actor, now, due_in)
    furnishing.forget(database)
    return Stage(services, catcher, coordinator_id, soon_id)


def data_file(name: str) -> bytes:
    """Return one of the files that the demo carries."""
    return files("service.demo").joinpath(name).read_bytes()


async def _load_alliance(database: Database, now: datetime) -> None:
    for listed, name in FILES:
        await importing.apply(database, COMMAND, listed, data_file(name), now)
    async with database.unit_of_work() as unit:
        await unit.connection.execute("UPDATE instance SET is_demo = true, phone = '0361 5550100'")
    for (kind, locale), body in LEGAL_TEXTS.items():
        await furnishing.save_text(database, COMMAND, (kind, locale), body.strip(), now)


async def _add_accounts(database: Database) -> UUID:
    klima = await _group_id(database, "klima")
    await authenticating.add_account(
        database,
        COMMAND,
        email=LEAD,
        name="Leitung AG Klima",
        role=Role.LEAD,
        groups=(klima,),
    )
    return await authenticating.add_account(
        database, COMMAND, email=COORDINATOR, name="Koordination", role=Role.COORDINATOR
    )


async def _group_id(database: Database, slug: str) -> UUID:
    found: UUID = await database.fetchval("SELECT id FROM working_group WHERE slug = $1", slug)
    return found


async def _prepare_session(
    database: Database, actor: Actor, now: datetime, due_in: timedelta
) -> UUID:
    """Invite to an online session three weeks ago whose reminder falls due in a moment."""
    meeting_id, past = uuid4(), now - timedelta(weeks=3)
    form = await _form(database, now + due_in)
    await planning.save_draft(database, actor, meeting_id, form, past)
    await scheduling.publish(database, actor, meeting_id, form, past)
    await noticing.queue_due(database, past + timedelta(days=1))
    await _answer(database, actor, meeting_id, past + timedelta(days=2))
    async with database.unit_of_work() as unit:
        await unit.connection.execute(_MARK_TOLD)
        rule = Rule(kind=Kind.REMINDER, audience=COMING, minutes_before=REMIND_MINUTES)
        await reminding.add_rule(unit.connection, rule, meeting_id=meeting_id)
        await reminding.plan_slots(unit.connection, meeting_id, now)
    return meeting_id


async def _form(database: Database, due_at: datetime) -> MeetingForm:
    starts = (due_at + timedelta(minutes=REMIND_MINUTES)).astimezone(ZONE).replace(microsecond=0)
    ends = starts + timedelta(minutes=45)
    return MeetingForm(
        group_ids=(await _group_id(database, "leerstand"),),
        title="Vorgespräch Leerstandsbewältigung",
        status=State.CONFIRMED,
        is_numbered=False,
        start_on=starts.date(),
        start_time=starts.time(),
        end_on=ends.date(),
        end_time=ends.time(),
        mode=Mode.ONLINE,
        online_url="https://konferenz.example.org/leerstand",
        description="Kurzes Vorgespräch zur nächsten Sitzung.",
    )


async def _answer(database: Database, actor: Actor, meeting_id: UUID, now: datetime) -> None:
    """Let some accept, some decline, some be undecided, and some say nothing."""
    rows = await database.fetch(
        "SELECT i.id FROM invitation i JOIN person p ON p.id = i.person_id"
        " WHERE i.meeting_id = $1 AND i.state = 'invited' ORDER BY p.external_ref",
        meeting_id,
    )
    answers = (Answer.ONLINE, Answer.DECLINED, Answer.UNDECIDED, Answer.ONLINE, None)
    for number, row in enumerate(rows[:15]):
        answer = answers[number % len(answers)]
        if answer is not None:
            await replying.enter_reply(
                database, actor, row["id"], Reply(answer=answer), Way.PHONE, now
            )
