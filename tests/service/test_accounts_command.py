"""Access to the office by command: given, ended and returned."""

import asyncio
from dataclasses import replace

import pytest

from service import accounts_command, authenticating, keeping_sessions
from service.auditing import COMMAND
from service.database import Database
from service.domain.errors import LinkReplacedError
from service.domain.words import Role
from service.settings import Settings
from tests import builders
from tests.builders import NOW


@pytest.fixture
def command_settings(settings: Settings, database: Database) -> Settings:
    return replace(settings, database_url=database.dsn)


async def test_the_command_adds_an_account_and_prints_a_link(
    command_settings: Settings, database: Database
) -> None:
    said: list[str] = []

    code = await accounts_command.add(
        command_settings, "Lea@Example.org", "Lea", "coordinator", (), said.append
    )

    assert (0, "Lea@example.org") == (code, await database.fetchval("SELECT email FROM account"))
    assert "/anmelden/l/" in said[-1]


async def test_a_known_address_gets_a_fresh_link_and_keeps_its_role(
    command_settings: Settings, database: Database
) -> None:
    said: list[str] = []
    await builders.an_account(database, email="lea@example.org", role="reader")

    code = await accounts_command.add(
        command_settings, "lea@example.org", "Lea", "admin", (), said.append
    )

    assert (0, "reader") == (code, await database.fetchval("SELECT role FROM account"))
    assert "/anmelden/l/" in said[-1]


@pytest.mark.parametrize(
    ("email", "role", "groups"),
    [("lea@stadt", "reader", ()), ("l@x.de", "lead", ()), ("l@x.de", "lead", ("nirgends",))],
)
async def test_an_account_that_cannot_be_is_refused(
    command_settings: Settings, database: Database, email: str, role: str, groups: tuple[str, ...]
) -> None:
    code = await accounts_command.add(command_settings, email, "L", role, groups, lambda _: None)

    assert (1, 0) == (code, await database.fetchval("SELECT count(*) FROM account"))


async def _switch(settings: Settings, email: str, *, ends: bool) -> tuple[int, list[str]]:
    said: list[str] = []
    code = await accounts_command.switch(settings, email, said.append, ends=ends)
    return code, said


async def test_an_account_that_is_switched_off_loses_sessions_links_and_calendar_for_good(
    command_settings: Settings, database: Database
) -> None:
    keys = command_settings.token_keys
    made = authenticating.create_account(
        database, keys, "lea@example.org", "Lea", Role.COORDINATOR, (), NOW
    )
    used = (await made).rpartition("/")[2]
    session = await authenticating.use_link(database, used, None, NOW)
    account_id = await database.fetchval("SELECT id FROM account")
    unused = (await authenticating.print_link(database, keys, account_id, NOW)).rpartition("/")[2]
    revision = "SELECT revision FROM feed WHERE account_id IS NOT NULL"
    before = await database.fetchval(revision)

    off = await _switch(command_settings, "Lea@example.org", ends=True)
    after = await database.fetchval(revision)
    again = await _switch(command_settings, "lea@example.org", ends=True)
    on = await _switch(command_settings, "lea@example.org", ends=False)

    assert (0, 0, 0) == (off[0], again[0], on[0])
    assert "off before" in again[1][0]
    assert before < after
    assert await keeping_sessions.find(database, session, NOW) is None
    with pytest.raises(LinkReplacedError):
        await authenticating.use_link(database, unused, None, NOW)


async def test_switching_an_account_is_audited_once(
    command_settings: Settings, database: Database
) -> None:
    account = await builders.an_account(database, email="lea@example.org")
    for ends in (True, True, False, False):
        await _switch(command_settings, "lea@example.org", ends=ends)

    rows = await database.fetch("SELECT actor_kind, action, object_id FROM audit ORDER BY id")
    assert [("command", action, account["id"]) for action in ("end_access", "return_access")] == [
        tuple(row) for row in rows
    ]


async def test_whoever_signs_in_while_access_ends_is_signed_out(
    command_settings: Settings, database: Database
) -> None:
    keys = command_settings.token_keys
    for n in range(20):
        email = f"l{n}@example.org"
        path = await authenticating.create_account(
            database, keys, email, "L", Role.COORDINATOR, (), NOW
        )
        account_id = await database.fetchval("SELECT id FROM account WHERE email = $1", email)
        await asyncio.gather(
            authenticating.use_link(database, path.rpartition("/")[2], None, NOW),
            authenticating.end_access(database, COMMAND, account_id, NOW),
            return_exceptions=True,
        )
        await authenticating.return_access(database, COMMAND, account_id, NOW)

    assert 0 == await database.fetchval(
        "SELECT count(*) FROM staff_session WHERE revoked_at IS NULL"
    )


async def test_an_unknown_account_cannot_be_switched_off(
    command_settings: Settings, database: Database
) -> None:
    code, said = await _switch(command_settings, "nobody@example.org", ends=True)

    assert (1, True) == (code, said[0].startswith("PROBLEM"))


async def test_who_switches_the_last_one_off_is_told(
    command_settings: Settings, database: Database
) -> None:
    await builders.an_account(database, email="lea@example.org")
    await builders.an_account(database, email="last@example.org", role="reader")

    _, said = await _switch(command_settings, "lea@example.org", ends=True)

    assert "Nobody can plan sessions now" in said[-1]
