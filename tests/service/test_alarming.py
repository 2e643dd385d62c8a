"""Alarms: one letter an hour and reason, through the outbox, and the pages say the same."""

import asyncio
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from notifications import addresses, pauses, statuses
from notifications.addresses import Verdict
from notifications.clerk import Go, Stop
from service import alarming, furnishing, posting, relaying
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from service.drafting import Key
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.posting import Wanted
from service.services import Services
from service.settings import Settings
from service.tables import posting_statements
from tests.notifications import builders
from tests.notifications.builders import a_letter

NOW = datetime.now(UTC)
OFFICE = "buero@example.org"


@pytest_asyncio.fixture(loop_scope="session")
async def services(settings: Settings, database: Database) -> AsyncIterator[Services]:
    data = furnishing.InstanceData("Bündnis", email=OFFICE)
    await furnishing.save_instance(database, COMMAND, data)
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, COMMAND, (kind, "de"), "Ein Text.", NOW)
    await run_ticks(database)
    pages = Pages(settings.public_url, Instance("Bündnis", OFFICE), static_urls())
    yield Services(settings, database, pages, lambda: NOW, settings.token_keys)
    furnishing.forget(database)


async def run_ticks(database: Database) -> None:
    """Let some tick have just run whenever somebody looks in the days of a test."""
    await database.fetch(
        "INSERT INTO job_health (job, last_start_at, last_ok_at) SELECT 'tick ' || at, at, at FROM"
        " generate_series($1::timestamptz, $1 + interval '3 days', interval '4 minutes') AS at",
        NOW,
    )


async def fail_tick(database: Database) -> None:
    """Let a tick have failed just now."""
    sql = "INSERT INTO job_health (job, last_start_at, last_error_at) VALUES ('slots', $1, $1)"
    await database.fetch(sql, NOW)


async def stop_relay(
    services: Services, reason: str = "relay_config", *, alarm: bool = True
) -> None:
    relay = relaying.relay_settings(services.settings)
    assert relay is not None
    await pauses.note_tried(services.database, relay.name)
    await pauses.pause(services.database, relay.name, 600, reason, alarm=alarm)


async def give_up(database: Database, reason: str = "gave_up", minutes: int = 1) -> None:
    [letter] = await builders.post(database, a_letter())
    await database.fetch(
        "UPDATE outbox SET state = 'dead', reason = $2,"
        " finished_at = $3::timestamptz - make_interval(mins => $4) WHERE id = $1",
        letter,
        reason,
        NOW,
        minutes,
    )


async def refuse(
    database: Database,
    reason: str,
    enhanced: str | None = None,
    *,
    kind: str = "invitation",
    state: str = "failed",
) -> None:
    [letter] = await builders.post(database, a_letter(kind=kind))
    await database.fetch(
        "UPDATE outbox SET state = $2, reason = $3, last_enhanced = $4, finished_at = $5"
        " WHERE id = $1",
        letter,
        state,
        reason,
        enhanced,
        NOW - timedelta(minutes=1),
    )


async def told(database: Database) -> list[str]:
    """Return the reasons of all alarm letters in their order."""
    sql = "SELECT cause ->> 'reason' FROM letter WHERE kind = 'alarm' ORDER BY created_at, id"
    return [row[0] for row in await database.fetch(sql)]


async def let_leave(database: Database) -> None:
    await database.fetch(
        "UPDATE outbox SET state = 'sent' WHERE id IN (SELECT id FROM letter WHERE kind = 'alarm')"
    )


async def verdict_of_the_clerk(services: Services) -> Go | Stop:
    [row] = await services.database.fetch("SELECT id FROM letter WHERE kind = 'alarm'")
    return (await Clerk(services).look_up([row["id"]]))[row["id"]]


async def test_a_relay_that_refuses_us_is_told_once_however_many_workers_look(
    services: Services, database: Database
) -> None:
    await stop_relay(services)
    counts = await asyncio.gather(*(alarming.look(services, NOW) for _ in range(4)))

    assert 1 == sum(counts)
    assert ["relay_config"] == await told(database)


async def test_the_open_circuit_is_told(services: Services, database: Database) -> None:
    await stop_relay(services, pauses.MANY_REFUSED)
    await alarming.look(services, NOW)

    assert [pauses.MANY_REFUSED] == await told(database)


async def test_a_short_failure_of_the_relay_is_not_told(
    services: Services, database: Database
) -> None:
    await stop_relay(services, "relay_down", alarm=False)

    assert 0 == await alarming.look(services, NOW)
    assert [] == await told(database)


async def test_after_an_outage_that_was_told_a_short_failure_is_no_alarm(
    services: Services, database: Database
) -> None:
    await stop_relay(services)
    first = await alarming.look(services, NOW)
    await let_leave(database)
    relay = relaying.relay_settings(services.settings)
    assert relay is not None
    await pauses.note_ok(database, relay.name)
    await alarming.look(services, NOW + timedelta(hours=1))
    await stop_relay(services, "relay_down", alarm=False)
    later = NOW + timedelta(hours=25)

    assert (1, 0) == (first, await alarming.look(services, later))
    assert [] == (await alarming.look_over(services, "de")).alarms


async def test_what_lasts_is_told_again_after_a_day_and_not_while_the_last_letter_waits(
    services: Services, database: Database
) -> None:
    await stop_relay(services)
    await alarming.look(services, NOW)
    waiting = await alarming.look(services, NOW + timedelta(hours=25))
    await let_leave(database)
    hours = [await alarming.look(services, NOW + timedelta(hours=n)) for n in (1, 2, 23, 25)]

    assert (0, [0, 0, 0, 1]) == (waiting, hours)


async def test_what_comes_back_within_the_hour_waits_for_it(
    services: Services, database: Database
) -> None:
    await give_up(database)
    first = await alarming.look(services, NOW)
    await let_leave(database)
    over = await alarming.look(services, NOW + timedelta(minutes=1))
    await give_up(database, minutes=-2)
    soon = await alarming.look(services, NOW + timedelta(minutes=3))
    later = await alarming.look(services, NOW + timedelta(minutes=61))

    assert (1, 0, 0, 1) == (first, over, soon, later)


async def test_letters_that_were_given_up_and_those_nobody_could_write_are_two_reasons(
    services: Services, database: Database
) -> None:
    await give_up(database)
    await give_up(database, "unwritable")
    await alarming.look(services, NOW)

    assert ["letters_dead", "letters_unwritable"] == sorted(await told(database))


@pytest.mark.parametrize(
    ("reason", "enhanced"),
    [
        ("policy", "5.7.1"),
        ("policy", None),
        ("content_refused", None),
        ("too_large", "5.3.4"),
        *(("bounced", f"5.{rest}") for rest in ("7.1", "7.515", "1.8", "3.4", "2.3", "6.0")),
    ],
)
async def test_a_letter_that_was_refused_but_not_for_its_address_is_told(
    services: Services, database: Database, reason: str, enhanced: str | None
) -> None:
    await refuse(database, reason, enhanced)
    count = await alarming.look(services, NOW)
    page = await posting.list_letters(database, Wanted(is_refused=True))

    assert (1, ["letters_refused"]) == (count, await told(database))
    assert [reason] == [letter.reason for letter in page.letters]


@pytest.mark.parametrize(
    ("state", "refused", "kind"),
    [
        ("failed", ("address_refused", "5.1.1"), "invitation"),
        ("failed", ("address_malformed", None), "invitation"),
        ("failed", ("bounced", "5.1.1"), "invitation"),
        ("failed", ("bounced", "5.2.2"), "invitation"),
        ("failed", ("bounced", None), "invitation"),
        ("failed", ("complaint", None), "invitation"),
        # What waits for its next try is not lost.
        ("queued", ("policy", "5.7.1"), "invitation"),
        # An alarm about an alarm would never end, and a trial is told where sending rests.
        ("failed", ("policy", "5.7.1"), "alarm"),
        ("failed", ("policy", "5.7.1"), "probe"),
    ],
)
async def test_what_the_office_sees_elsewhere_is_no_alarm_of_refused_letters(
    services: Services, database: Database, state: str, refused: tuple[str, str | None], kind: str
) -> None:
    await refuse(database, *refused, kind=kind, state=state)

    assert 0 == await alarming.look(services, NOW)


def test_what_counts_as_refused_is_what_blames_no_address() -> None:
    codes = [f"{x}.{y}.{z}" for x in (4, 5) for y in range(8) for z in range(20)]
    [pattern] = re.findall(r"~ '([^']+)'", posting_statements.REFUSED)

    assert [code for code in codes if statuses.meaning_of(code) in statuses.BLAMELESS] == [
        code for code in codes if re.search(pattern, code)
    ]


async def test_the_alarm_of_refused_letters_counts_what_is_new_and_leads_to_them(
    services: Services, database: Database
) -> None:
    for _ in range(3):
        await refuse(database, "policy")
    await alarming.look(services, NOW)
    go = await verdict_of_the_clerk(services)
    assert isinstance(go, Go)
    draft = await Clerk(services).compose(go.prototype_key)
    await let_leave(database)
    again = await alarming.look(services, NOW + timedelta(hours=2))

    assert "Warnung: E-Mails abgelehnt" == draft.subject
    assert "3 E-Mails wurden endgültig abgelehnt" in go.values["lines"]
    assert go.values["link_office"].endswith("/buero/versand?zustand=refused")
    assert 0 == again


async def test_a_tick_that_fails_is_told_when_it_goes_on_failing(
    services: Services, database: Database
) -> None:
    await fail_tick(database)
    at_once = await alarming.look(services, NOW)
    later = await alarming.look(services, NOW + timedelta(minutes=6))

    assert (0, 1) == (at_once, later)
    assert ["ticks"] == await told(database)


async def test_no_alarm_goes_to_an_address_that_takes_no_mail(
    services: Services, database: Database
) -> None:
    async with database.unit_of_work() as unit:
        await addresses.note(
            unit.connection, OFFICE, Verdict.HARD_CONFIRMED, letter_id=None, status="5.1.1", at=NOW
        )
    await stop_relay(services)
    count = await alarming.look(services, NOW)
    board = await alarming.look_over(services, "de")

    assert 0 == count
    assert (False, ["relay_config"]) == (
        board.is_reachable,
        [one.reason for one, _ in board.alarms],
    )


async def test_an_alarm_whose_address_stopped_working_meanwhile_does_not_leave(
    services: Services, database: Database
) -> None:
    await stop_relay(services)
    await alarming.look(services, NOW)
    async with database.unit_of_work() as unit:
        await addresses.note(
            unit.connection, OFFICE, Verdict.HARD_CONFIRMED, letter_id=None, status="5.1.1", at=NOW
        )

    assert Stop("undeliverable") == await verdict_of_the_clerk(services)


async def test_an_alarm_says_what_and_since_when_and_goes_to_the_operator_where_one_is_set(
    services: Services, database: Database
) -> None:
    settings = replace(services.settings, alarm_address="betrieb@example.org")
    services = replace(services, settings=settings)
    await stop_relay(services)
    await alarming.look(services, NOW)
    go = await verdict_of_the_clerk(services)
    assert isinstance(go, Go)
    draft = await Clerk(services).compose(go.prototype_key)

    assert isinstance(go.prototype_key, Key)
    assert "betrieb@example.org" == go.to_addr
    assert "Warnung: Mailserver lehnt uns ab" == draft.subject
    assert "Unser Mailserver lehnt uns ab" in go.values["lines"]
    assert "Seit: " in go.values["lines"]
    assert f"{settings.public_url}/buero/versand" == go.values["link_office"]


async def test_an_alarm_that_leaves_after_the_relay_came_back_says_so(
    services: Services, database: Database
) -> None:
    await stop_relay(services)
    await alarming.look(services, NOW)
    relay = relaying.relay_settings(services.settings)
    assert relay is not None
    async with database.unit_of_work() as unit:
        await pauses.resume(unit.connection, relay.name)
    await alarming.look(services, NOW + timedelta(minutes=20))
    go: Any = await verdict_of_the_clerk(services)

    assert "Inzwischen ist das vorbei: " in go.values["lines"]
    assert [] == (await alarming.look_over(services, "de")).alarms


async def an_ear(
    services: Services, heard_at: datetime | None, way: str = "termine+@example.org"
) -> Services:
    await services.database.fetch(
        "INSERT INTO ear (way, posted_at, heard_at) VALUES ($1, $2, $3)", way, NOW, heard_at
    )
    return replace(
        services, settings=replace(services.settings, imip_address="termine+@example.org")
    )


async def test_an_ear_that_went_deaf_is_told_once_however_long_it_lasts(
    services: Services, database: Database
) -> None:
    services = await an_ear(services, NOW - timedelta(hours=23))
    hears = await alarming.look(services, NOW)
    deaf = await alarming.look(services, NOW + timedelta(hours=2))
    await let_leave(database)
    later = [await alarming.look(services, NOW + timedelta(hours=n)) for n in (3, 27, 60)]
    [(alarm, sentence)] = (await alarming.look_over(services, "de")).alarms

    assert (0, 1, [0, 0, 0]) == (hears, deaf, later)
    assert ["ear_deaf"] == await told(database)
    assert NOW + timedelta(hours=1) == alarm.began_at
    assert sentence.startswith("Antworten aus Kalenderprogrammen kommen nicht mehr bei uns an.")


async def test_an_ear_that_goes_deaf_again_is_told_again(
    services: Services, database: Database
) -> None:
    services = await an_ear(services, NOW - timedelta(days=2))
    counts = [await alarming.look(services, NOW)]
    await let_leave(database)
    await database.fetch("UPDATE ear SET heard_at = $1", NOW)
    counts.append(await alarming.look(services, NOW + timedelta(hours=1)))
    over = (await alarming.look_over(services, "de")).alarms
    counts.append(await alarming.look(services, NOW + timedelta(hours=25)))

    assert ([1, 0, 1], []) == (counts, over)


async def test_an_ear_that_was_never_heard_or_is_another_is_no_alarm(
    services: Services, database: Database
) -> None:
    never = await an_ear(services, None)
    count = await alarming.look(never, NOW)
    await database.fetch("DELETE FROM ear")
    other = await an_ear(services, NOW - timedelta(days=2), way="alt+@example.org")

    assert (0, 0) == (count, await alarming.look(other, NOW))
    assert 0 == await alarming.look(services, NOW)
