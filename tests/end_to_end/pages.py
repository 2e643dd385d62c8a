"""Every page that has a route, with its parameters from the demo's database."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

from service import (
    asking,
    authenticating,
    barring,
    keeping_sessions,
    planning,
    preferring,
    ruling,
    scheduling,
    tailoring,
    tokens,
)
from service.auditing import Actor
from service.barring import File, ListForm
from service.database import Database
from service.demo import staging
from service.domain.meeting_forms import MeetingForm
from service.domain.obstacles import Treatment
from service.domain.preferences import Topic
from service.domain.reminders import DEFAULT_RULES
from service.domain.words import Audience, State
from service.embedded import Server
from service.ruling import Scope
from service.scheduling import Options
from service.tokens import Purpose
from tests.end_to_end import returned_mail
from tests.end_to_end.stage import LETTER_SECONDS, POLL_SECONDS, Demo

# Routes that answer with something else than a page, or that lead away.
NO_PAGES = frozenset(
    {
        "/buero/termin/{meeting_id:uuid}/tabelle",
        "/buero/versand/tabelle",
        "/favicon.ico",
        "/favicon.svg",
        "/einbetten/termine.html",
        "/einbetten/termine.json",
        "/einbetten/v1/termine.js",
        "/feeds/{name:str}",
        "/health/live",
        "/health/ready",
        "/robots.txt",
        "/static/{rest:path}",
        "/termin/{slug:str}/kalenderdatei",
        "/zu/{provider:str}",
    }
)
PUBLIC = (
    "/",
    "/?gruppe=klima&art=online",
    "/vergangene-termine",
    "/termin/{confirmed_slug}",
    "/termin/{cancelled_slug}",
    "/termin/{tentative_slug}",
    "/kalender",
    "/kalender?anzeigen=1&gruppe=klima",
    "/einbetten",
    "/einbetten?art=element&gruppe=klima&vergangene=1",
    "/einbetten?art=frame&sprache=en",
    "/einbetten/termine?vergangene=1",
    "/link-anfordern",
    "/c",
    "/impressum",
    "/datenschutz",
    "/barrierefreiheit",
    "/barriere-melden",
    "/barriere-melden/danke",
    "/anmelden",
    "/anmelden/l/{sign_in}",
    "/a/{token}?w=absage",
    "/a/{answered_token}",
    "/a/{answered_token}/danke",
    "/a/{token}/nicht-ich",
    "/b/{switches}",
    "/b/{switches}?gespeichert=1",
    "/kalender?anzeigen=1&gruppe=klima&gruppe=wulis&ungefaehr=1&abgesagt=plain&sprache=en",
    "/meine/kalender/{calendar}",
    "/meine/kalender/{calendar}?getan=saved",
    "/u/{stop}",
    "/u/{stop}?wieder=1",
    "/demo/post",
    "/demo/post?suche=klima",
)
OFFICE = (
    "/buero",
    "/buero/termin/neu",
    "/buero/termin/neu?gruppe={group}",
    "/buero/termin/{confirmed}",
    "/buero/termin/{draft}",
    "/buero/termin/{cancelled}",
    "/buero/termin/{confirmed}/antwort/{invitation}",
    "/buero/termin/{confirmed}/code/{invitation}",
    "/buero/termin/{confirmed}/bearbeiten",
    "/buero/termin/{confirmed}/verschieben",
    "/buero/termin/{draft}/vorschau?status=confirmed",
    "/buero/termin/{draft}/verwerfen",
    "/buero/termin/{tentative}/bestaetigen",
    "/buero/termin/{confirmed}/aussetzen",
    "/buero/termin/{confirmed}/absagen",
    "/buero/termin/{cancelled}/doch-stattfinden",
    "/buero/termin/{planned}",
    "/buero/termin/{planned}/bearbeiten",
    "/buero/termin/{planned}/mitteilung/{notice}/zeit",
    "/buero/termin/{confirmed}/einladen",
    "/buero/termin/{confirmed}/erinnern",
    "/buero/termin/{confirmed}/erneut-senden/{invitation}",
    "/buero/termin/{confirmed}/link/{invitation}",
    "/buero/termin/{confirmed}/ausladen/{invitation}",
    "/buero/termin/{confirmed}/person",
    "/buero/termin/{confirmed}/drucken",
    "/buero/termin/{confirmed}/anrufliste",
    "/buero/gruppen",
    "/buero/gruppe/neu",
    "/buero/gruppe/{group}",
    "/buero/partner",
    "/buero/partner/neu",
    "/buero/partner/{partner}",
    "/buero/mitglieder",
    "/buero/mitglied/neu",
    "/buero/mitglied/{person}",
    "/buero/mitglied/{person}/benachrichtigungen",
    "/buero/mitglied/{person}/kalender",
    "/buero/kalender",
    "/buero/import",
    "/buero/wartet",
    "/buero/versand",
    "/buero/vorschau",
    "/buero/vorschau?regel={rule}",
    "/buero/vorschau?testmail=1",
    "/buero/adressen",
    "/buero/antworten",
    "/buero/kalenderantworten",
    "/buero/versand/{letter}",
    "/buero/versand/zurueckgehalten",
    "/buero/versand/auswahl?tat=release&briefe={held}",
    "/buero/versand/drucken?person={person}",
    "/buero/sperrzeiten",
    "/buero/sperrzeiten/neu",
    "/buero/sperrzeiten/{day_list}",
    "/buero/sperrzeiten/{day_list}/entfernen",
    "/buero/einstellungen",
    "/buero/zugang",
    "/buero/einstellungen/geschaeftsstelle",
    "/buero/einstellungen/rechtstexte/imprint/de",
    "/buero/erinnerungen",
    "/buero/erinnerungen/neu",
    "/buero/erinnerungen/{rule}",
    "/buero/gruppe/{group}/erinnerungen",
    "/buero/gruppe/{group}/erinnerungen/neu",
    "/buero/gruppe/{group}/erinnerungen/{rule}",
    "/buero/gruppe/{group}/erinnerungen/verwerfen",
    "/buero/gruppe/{group}/erinnerungen/keine",
    "/buero/termin/{confirmed}/erinnerungen",
    "/buero/termin/{confirmed}/erinnerungen?testmail=1",
    "/buero/termin/{confirmed}/erinnerungen/neu",
    "/buero/termin/{confirmed}/erinnerungen/{rule}",
    "/buero/termin/{confirmed}/erinnerungen/verwerfen",
)
# Pages that say that something is not there, with the status they say it with.
ABSENT = {
    "/gibt-es-nicht": 404,
    "/a/unbekannt": 404,
    "/b/unbekannt": 404,
    "/u/unbekannt": 404,
    "/termin/gibt-es-nicht": 404,
    "/demo/post/999999": 404,
}
# Forms that refuse what is in them: a page, and the fields to fill or to empty before sending.
REFUSED: Mapping[str, Mapping[str, str]] = {
    "/link-anfordern": {"email": "keine Adresse"},
    "/einbetten": {"anzahl": "99"},
    "/c": {"code": ""},
    "/barriere-melden": {},
    "/anmelden": {"email": "@"},
    "/a/{token}": {},
    "/b/{switches}": {"paused_until": "2020-01-01"},
    "/buero/termin/neu?gruppe={group}": {"start_date": "", "start_time": ""},
    "/buero/termin/{confirmed}/antwort/{silent}": {},
    "/buero/mitglied/neu": {"full_name": ""},
    "/buero/partner/neu": {"name": ""},
    "/buero/gruppe/neu": {"name": ""},
    "/buero/erinnerungen/neu": {"amount": "", "at_time": ""},
    "/buero/sperrzeiten/neu": {"name": ""},
}

# Pages with a button that answers with a page of its own: what it looks like when it is pressed.
PRESSED: Mapping[str, str] = {
    "/u/{stop}": "form.tb-form .tb-buttons button",
    "/buero/erinnerungen/{rule}": "button[value=preview]",
    "/buero/termin/{confirmed}/erinnerungen/{rule}": "button[value=preview]",
    "/buero/termin/{confirmed}/absagen": "details[open] button[name=test]",
    "/buero/termin/{confirmed}/aussetzen": ".tb-buttons button[value=preview]",
}

_ONE = {
    "confirmed": "SELECT id, slug FROM meeting WHERE title LIKE 'Vorgespräch%'",
    "tentative": "SELECT id, slug FROM meeting WHERE state = 'tentative' AND slug <> '' LIMIT 1",
    "group": "SELECT id, slug FROM working_group WHERE slug = 'klima'",
    "partner": "SELECT id, '' AS slug FROM organisation ORDER BY sort_key LIMIT 1",
    "person": "SELECT id, '' AS slug FROM person ORDER BY sort_key LIMIT 1",
    "rule": "SELECT id, '' AS slug FROM reminder_rule WHERE kind = 'nudge' LIMIT 1",
    "letter": "SELECT id, '' AS slug FROM letter WHERE to_addr IS NOT NULL LIMIT 1",
}
_INVITATIONS = """
SELECT i.id, i.handle, i.epoch, i.answer FROM invitation i JOIN person p ON p.id = i.person_id
WHERE i.meeting_id = $1 AND i.state = 'invited' ORDER BY p.external_ref
"""
# Somebody with times of their own, so that their fields stand open.
_OWN_TIMES = """
INSERT INTO preference (person_id, has_own_times, own_days)
SELECT id, true, '{1}' FROM person ORDER BY sort_key LIMIT 1
ON CONFLICT (person_id) DO UPDATE SET has_own_times = true, own_days = '{1}'
"""
_HELD = "SELECT id FROM outbox WHERE state = 'held' AND reason = 'restored' LIMIT 1"
# Two letters as a restored backup would hold them back.
_HOLD = """
WITH held AS (
    INSERT INTO letter (dedupe_key, kind, recipient_id, subject_id, ordering_key, locale)
    SELECT 'held:' || id, 'invitation', id, $1, 'held:' || id, 'de'
    FROM person ORDER BY sort_key LIMIT 2
    RETURNING id, ordering_key)
INSERT INTO outbox (id, state, reason, ordering_key, expires_at)
SELECT id, 'held', 'restored', ordering_key, now() + interval '1 day' FROM held
"""
_DOUBT = "UPDATE invitation SET looks_automatic = true WHERE id = $1"


@dataclass(frozen=True)
class Seeded:
    """The parameters of all pages, and the cookie of somebody from the office."""

    parameters: Mapping[str, str]
    session: str

    def fill(self, path: str) -> str:
        """Return a path with its parameters."""
        return path.format_map(self.parameters)

    def cookie(self, base: str) -> Any:
        """Return the session cookie as the browser takes it."""
        return {"name": "sid", "value": self.session, "url": base}


async def seed(demo: Demo) -> Seeded:
    """Add a draft and a cancelled session to the demo's data, and find the rest."""
    now = datetime.now(UTC)
    async with Database(Server.under(demo.data_dir).dsn(), pool_size=2) as database:
        found: dict[str, str] = {}
        for name, sql in _ONE.items():
            row = await _wait_for(database, sql)
            assert row is not None, name
            found |= {name: str(row["id"]), f"{name}_slug": row["slug"] or ""}
        account_id = await database.fetchval(
            "SELECT id FROM account WHERE email = $1", staging.COORDINATOR
        )
        actor = Actor("account", account_id, "Koordination")
        found["draft"] = str(await _add(database, actor, UUID(found["group"]), now))
        found |= await _cancelled(database, actor, UUID(found["group"]), now)
        found |= await _planned(database, actor, UUID(found["group"]), now)
        # A group with rules of its own has something to go back from.
        scope = Scope(group_id=UUID(found["group"]))
        await ruling.save_rule(database, actor, scope, DEFAULT_RULES[-1], now)
        found["day_list"] = str(await _barred(database, actor, now))
        found |= await _tokens(demo, database, UUID(found["confirmed"]))
        await database.fetch(_HOLD, UUID(found["confirmed"]))
        found["held"] = str(await database.fetchval(_HELD))
        await returned_mail.seed(database, UUID(found["letter"]))
        keys = staging.demo_settings(demo.data_dir, 1, 1).token_keys
        path = await authenticating.print_link(database, keys, account_id, now)
        found["sign_in"] = path.rsplit("/", 1)[-1]
        async with database.unit_of_work() as unit:
            session = await keeping_sessions.open_new(unit.connection, account_id, None, now)
    return Seeded(found, session)


async def _wait_for(database: Database, sql: str) -> Any:
    """Return the row as soon as there is one: the first letter leaves a while after the start."""
    deadline = monotonic() + LETTER_SECONDS
    while (row := await database.fetchrow(sql)) is None and monotonic() < deadline:
        await asyncio.sleep(POLL_SECONDS)
    return row


def _form(group_id: UUID, day: date) -> MeetingForm:
    return MeetingForm(
        group_ids=(group_id,),
        title="Sondersitzung Klima",
        status=State.CONFIRMED,
        is_numbered=False,
        start_on=day,
        start_time=time(9),
        end_time=time(11, 30),
        place_name="Stadtbibliothek",
        town="Weimar",
        description="Eine Sitzung **außer der Reihe**.",
        agenda="TOP 1 Begrüßung\nTOP 2 Verschiedenes",
    )


async def _add(database: Database, actor: Actor, group_id: UUID, now: datetime) -> UUID:
    meeting_id, day = uuid4(), now.date() + timedelta(days=90)
    await planning.save_draft(database, actor, meeting_id, _form(group_id, day), now)
    return meeting_id


async def _barred(database: Database, actor: Actor, now: datetime) -> UUID:
    """Add a list that ends soon, so that its warnings show."""
    list_id = uuid4()
    form = ListForm(name="Landtag", treatment=Treatment.MOVE)
    file = File("plenum.csv", f"{now.date().isoformat()};;Plenum".encode())
    await barring.add_list(database, actor, list_id, form, file, now)
    return list_id


async def _cancelled(
    database: Database, actor: Actor, group_id: UUID, now: datetime
) -> dict[str, str]:
    meeting_id = await _add(database, actor, group_id, now)
    form = _form(group_id, now.date() + timedelta(days=90))
    await scheduling.publish(database, actor, meeting_id, form, now)
    await scheduling.cancel(database, actor, meeting_id, "Der Saal ist gesperrt.", now)
    slug = await database.fetchval("SELECT slug FROM meeting WHERE id = $1", meeting_id)
    return {"cancelled": str(meeting_id), "cancelled_slug": slug}


async def _planned(
    database: Database, actor: Actor, group_id: UUID, now: datetime
) -> dict[str, str]:
    """Add a session of chosen people and a guest whose invitations leave in a week."""
    meeting_id, day = uuid4(), now.date() + timedelta(days=80)
    members = await asking.list_candidates(database, [group_id], [])
    form = replace(
        _form(group_id, day),
        audience=Audience.CHOSEN,
        person_ids=frozenset(member.id for member in members[:3]),
        extra_emails="Gast Neu <gast@example.org>",
        seats_per_partner=2,
    )
    await planning.save_draft(database, actor, meeting_id, form, now)
    later = datetime.combine(now.date() + timedelta(days=7), time(9))
    options = Options(invite_local=later)
    await scheduling.publish(database, actor, meeting_id, form, now, options=options)
    notice = await database.fetchval("SELECT id FROM notice WHERE meeting_id = $1", meeting_id)
    return {"planned": str(meeting_id), "notice": str(notice)}


async def _tokens(demo: Demo, database: Database, meeting_id: UUID) -> dict[str, str]:
    keys = staging.demo_settings(demo.data_dir, 1, 1).token_keys
    found = await database.fetch(_INVITATIONS, meeting_id)
    silent = next(row for row in found if row["answer"] is None)
    answered = next(row for row in found if row["answer"] == "online")
    handle = await database.fetchval("SELECT mail_handle FROM person ORDER BY sort_key LIMIT 1")
    person_id = await database.fetchval(
        "SELECT person_id FROM feed WHERE kind = 'personal' LIMIT 1"
    )
    calendar = await tailoring.find_page(database, keys, person_id) or ""
    await database.fetch(_OWN_TIMES)
    await database.fetch(_DOUBT, answered["id"])
    return {
        "switches": preferring.page_token(keys, handle, 1),
        "calendar": calendar.rsplit("/", 1)[-1],
        "stop": preferring.unsubscribe_token(keys, Topic.REMINDERS, handle, 1),
        "invitation": str(answered["id"]),
        "silent": str(silent["id"]),
        "token": tokens.derive(keys, Purpose.ANSWER, silent["handle"], silent["epoch"]),
        "answered_token": tokens.derive(
            keys, Purpose.ANSWER, answered["handle"], answered["epoch"]
        ),
    }


def is_listed(route: str) -> bool:
    """Tell whether a page of this route is in the lists."""
    pattern = re.compile(re.sub(r"\{[^}]*\}", "[^/]+", route))
    return any(pattern.fullmatch(path.split("?")[0]) for path in (*PUBLIC, *OFFICE))
