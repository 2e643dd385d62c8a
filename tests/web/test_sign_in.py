import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from time import perf_counter
from uuid import UUID

import httpx
import pytest

from service import authenticating, keeping_sessions, tokens
from service.auditing import COMMAND
from service.database import Database
from service.domain.errors import LinkReplacedError, LinkUsedError
from service.domain.words import Role
from service.services import Services
from service.web.sign_in import LEAST_SECONDS
from tests.web.conftest import PUBLIC_URL, Clock, SignIn, open_client, over_https

ADDRESS = "ada@example.org"
_TOKENS = "SELECT id FROM one_time_token ORDER BY created_at, used_at NULLS FIRST"


@pytest.fixture
async def account(database: Database) -> UUID:
    return await authenticating.add_account(
        database, COMMAND, email=ADDRESS, name="Ada Ahorn", role=Role.COORDINATOR
    )


async def ask(client: httpx.AsyncClient, address: str = ADDRESS) -> httpx.Response:
    return await client.post("/anmelden", data={"email": address})


async def newest_token(database: Database) -> UUID:
    found: UUID = await database.fetchval(
        "SELECT id FROM one_time_token ORDER BY created_at DESC, used_at NULLS FIRST LIMIT 1"
    )
    return found


def form_token(page: httpx.Response) -> str:
    found = re.search(r'name="ft" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


async def open_link(client: httpx.AsyncClient, path: str) -> httpx.Response:
    shown = await client.get(path)
    return await client.post(path, data={"ft": form_token(shown)}, headers={"origin": "null"})


async def test_a_link_signs_in_once_and_only_by_a_pressed_button(
    anonymous: httpx.AsyncClient, services: Services, database: Database, account: UUID
) -> None:
    await ask(anonymous)
    path = authenticating.link_path(services.keys, await newest_token(database))
    looks = [(await anonymous.get(path)).status_code for _ in range(3)]
    heads = [(await anonymous.head(path)).status_code for _ in range(3)]
    first = await open_link(anonymous, path)
    office = await anonymous.post("/abmelden")
    again = await anonymous.get(path)

    assert [200] * 6 == looks + heads
    assert (303, "/buero") == (first.status_code, first.headers["location"])
    assert office.status_code == 403
    assert again.status_code == 410
    assert "schon benutzt" in again.text


async def test_the_letter_is_posted_for_known_addresses_only(
    anonymous: httpx.AsyncClient, database: Database, account: UUID
) -> None:
    known = await ask(anonymous)
    unknown = await ask(anonymous, "eve@example.org")
    letters = await database.fetch("SELECT kind, recipient_id FROM letter")

    assert [("sign_in", account)] == [tuple(letter) for letter in letters]
    assert known.text.replace(ADDRESS, "") == unknown.text.replace("eve@example.org", "")
    assert set(known.headers) == set(unknown.headers)


async def test_known_and_unknown_addresses_take_the_same_time(
    anonymous: httpx.AsyncClient, database: Database, account: UUID
) -> None:
    times: dict[str, list[float]] = {ADDRESS: [], "eve@example.org": []}
    # A busy machine makes any of them longer, and none of them shorter.
    for turn in range(10):
        for address, taken in times.items():
            started = perf_counter()
            await ask(anonymous, address)
            taken.append(perf_counter() - started)
        known, unknown = (min(taken) for taken in times.values())
        if turn >= 4 and abs(known - unknown) < LEAST_SECONDS:
            break

    assert min(known, unknown) > 0.99 * LEAST_SECONDS
    assert abs(known - unknown) < LEAST_SECONDS


async def test_an_address_gets_two_letters_an_hour_and_the_answers_stay_alike(
    anonymous: httpx.AsyncClient, database: Database, account: UUID
) -> None:
    answers = [await ask(anonymous) for _ in range(5)]
    letters = await database.fetchval("SELECT count(*) FROM letter")

    assert letters == 2
    assert [200] * 5 == [answer.status_code for answer in answers]


async def test_an_address_gets_five_letters_a_day(
    anonymous: httpx.AsyncClient, database: Database, clock: Clock, account: UUID
) -> None:
    for _ in range(12):
        await ask(anonymous)
        clock.go_on(timedelta(minutes=31))
    letters = await database.fetchval("SELECT count(*) FROM letter")

    assert letters == 5


async def leave(database: Database) -> None:
    """Let the letters that wait be with their mail server."""
    await database.fetch("UPDATE outbox SET state = 'sent' WHERE state = 'queued'")


async def count_letters(database: Database) -> int:
    found: int = await database.fetchval("SELECT count(*) FROM letter")
    return found


@pytest.mark.parametrize(("most", "apart"), [(2, 10), (5, 31)], ids=["of_an_hour", "of_a_day"])
async def test_a_stranger_who_asks_for_all_letters_locks_nobody_out(
    services: Services, ready: None, clock: Clock, account: UUID, *, most: int, apart: int
) -> None:
    database = services.database
    async with open_client(services) as owner, open_client(services) as stranger:
        for _ in range(most):
            await ask(stranger)
            await leave(database)
            *older, last = [row["id"] for row in await database.fetch(_TOKENS)]
            clock.go_on(timedelta(minutes=apart))
        last_path = authenticating.link_path(services.keys, last)
        before = await owner.get(last_path)
        await ask(owner)
        letters = await count_letters(database)
        clock.go_on(authenticating.LINK_LIFE - timedelta(seconds=1))
        signed_in = await open_link(owner, last_path)
        others = {
            (await owner.get(authenticating.link_path(services.keys, one))).status_code
            for one in older
        }
        await ask(stranger)

    assert (most, most - 1) == (letters, len(older))
    assert [410 if most == 5 else 200, 303] == [before.status_code, signed_in.status_code]
    assert {410} == others
    # Whoever signed in may ask for as many again.
    assert most + 1 == await count_letters(database)


async def test_a_link_that_is_good_again_ends_after_its_time_and_its_code_stays_spent(
    services: Services, ready: None, clock: Clock, account: UUID
) -> None:
    database = services.database
    async with open_client(services) as owner, open_client(services) as stranger:
        for _ in range(2):
            clock.go_on(timedelta(minutes=1))
            await ask(stranger)
            await leave(database)
        last = await newest_token(database)
        for _ in range(5):
            await stranger.post("/anmelden/code", data={"code": "000000"})
        clock.go_on(timedelta(minutes=20))
        await ask(owner)
        code = tokens.one_time_code(services.keys, last)
        guessed = await stranger.post("/anmelden/code", data={"code": code})
        path = authenticating.link_path(services.keys, last)
        statuses = [(await owner.get(path)).status_code]
        clock.go_on(authenticating.LINK_LIFE)
        statuses.append((await owner.get(path)).status_code)

    assert [200, 410] == statuses
    assert "fünfmal falsch" in guessed.text


async def test_letters_that_never_left_are_not_counted(
    anonymous: httpx.AsyncClient, database: Database, account: UUID
) -> None:
    for _ in range(2):
        await ask(anonymous)
    await database.fetch("UPDATE outbox SET state = 'expired'")
    await ask(anonymous)

    assert 3 == await count_letters(database)


async def test_links_from_a_terminal_are_no_letters(
    anonymous: httpx.AsyncClient, services: Services, clock: Clock, account: UUID
) -> None:
    for _ in range(3):
        await authenticating.print_link(services.database, services.keys, account, clock())

    await ask(anonymous)

    assert 1 == await count_letters(services.database)


async def test_an_account_that_was_ended_gets_no_letter_and_its_link_is_dead(
    anonymous: httpx.AsyncClient, services: Services, database: Database, account: UUID
) -> None:
    await ask(anonymous)
    path = authenticating.link_path(services.keys, await newest_token(database))
    await database.fetch("UPDATE account SET disabled_at = now() WHERE id = $1", account)
    known = await anonymous.get(path)
    unknown = await anonymous.get(f"/anmelden/l/{tokens.draw_secret()}")
    await ask(anonymous)

    assert (known.status_code, ADDRESS in known.text) == (unknown.status_code, False)
    assert await database.fetchval("SELECT count(*) FROM letter") == 1


async def test_a_network_is_refused_after_twenty_requests_in_an_hour(
    anonymous: httpx.AsyncClient, database: Database
) -> None:
    statuses = []
    for n in range(21):
        answer = await anonymous.post("/anmelden", data={"email": f"x{n}@example.org"})
        statuses.append(answer.status_code)
        if answer.status_code != 200:
            break
    stored = await database.fetch("SELECT key FROM rate_bucket")

    assert [200] * 20 + [422] == statuses
    assert "Zu viele Versuche" in answer.text
    assert not any("127.0.0" in row["key"] for row in stored)


async def test_six_digits_sign_in_where_they_were_asked_for(
    services: Services, ready: None, database: Database, account: UUID
) -> None:
    async with open_client(services) as asking, open_client(services) as other:
        await ask(asking)
        code = tokens.one_time_code(services.keys, await newest_token(database))
        elsewhere = await other.post("/anmelden/code", data={"code": code})
        here = await asking.post("/anmelden/code", data={"code": f"{code[:3]} {code[3:]}"})

    assert elsewhere.status_code == 422
    assert "anderen Browser" in elsewhere.text
    assert here.status_code == 303
    assert asking.cookies["sid"]


@pytest.mark.parametrize("address", [ADDRESS, "eve@example.org"])
async def test_five_wrong_codes_end_it_even_for_the_right_one(
    anonymous: httpx.AsyncClient,
    services: Services,
    database: Database,
    account: UUID,
    address: str,
) -> None:
    await ask(anonymous, address)
    right = tokens.one_time_code(services.keys, await newest_token(database))
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    answers = [await anonymous.post("/anmelden/code", data={"code": wrong}) for _ in range(5)]
    last = await anonymous.post("/anmelden/code", data={"code": right})

    counted = [re.search(r"Noch (\d) Versuche?", answer.text) for answer in answers]
    assert ["4", "3", "2", "1", "0"] == [found and found[1] for found in counted]
    assert "fünfmal falsch" in last.text
    assert last.status_code == 422


async def test_a_letter_that_a_stranger_asked_for_leaves_the_older_link_good(
    services: Services, ready: None, database: Database, account: UUID
) -> None:
    async with open_client(services) as owner, open_client(services) as stranger:
        await ask(owner)
        token = await newest_token(database)
        await ask(stranger)
        path, code = (
            authenticating.link_path(services.keys, token),
            tokens.one_time_code(services.keys, token),
        )
        shown = await owner.get(path)
        signed_in = await owner.post("/anmelden/code", data={"code": code})

    assert [200, 303] == [shown.status_code, signed_in.status_code]


@pytest.mark.parametrize("used", ["older", "newer"])
async def test_signing_in_by_one_link_ends_the_others(
    anonymous: httpx.AsyncClient,
    services: Services,
    clock: Clock,
    account: UUID,
    used: str,
) -> None:
    await ask(anonymous)
    older = await newest_token(services.database)
    clock.go_on(timedelta(minutes=1))
    await ask(anonymous)
    newer = await newest_token(services.database)
    first, other = (older, newer) if used == "older" else (newer, older)
    await open_link(anonymous, authenticating.link_path(services.keys, first))
    answer = await anonymous.get(authenticating.link_path(services.keys, other))

    assert older != newer
    assert answer.status_code == 410
    assert "Mit einer anderen E-Mail wurde schon angemeldet" in answer.text


async def test_two_links_pressed_at_once_open_one_session(
    services: Services, database: Database, clock: Clock, account: UUID
) -> None:
    paths = [
        await authenticating.print_link(database, services.keys, account, clock()) for _ in range(4)
    ]
    presses = [
        authenticating.use_link(database, path.rpartition("/")[2], None, clock()) for path in paths
    ]
    found = await asyncio.gather(*presses, return_exceptions=True)

    assert ["str"] == [
        type(one).__name__
        for one in found
        if not isinstance(one, (LinkUsedError, LinkReplacedError))
    ]
    assert await database.fetchval("SELECT count(*) FROM staff_session") == 1


async def test_a_link_says_until_when_it_worked(
    anonymous: httpx.AsyncClient,
    services: Services,
    database: Database,
    clock: Clock,
    account: UUID,
) -> None:
    await ask(anonymous)
    path = authenticating.link_path(services.keys, await newest_token(database))
    clock.go_on(timedelta(minutes=16))
    answer = await anonymous.get(path)

    assert answer.status_code == 410
    assert "Dieser Link galt bis" in answer.text


async def test_two_presses_at_once_open_one_session(
    services: Services, database: Database, clock: Clock, account: UUID
) -> None:
    path = await authenticating.print_link(database, services.keys, account, clock())
    secret = path.rpartition("/")[2]
    await authenticating.use_link(database, secret, None, clock())

    with pytest.raises(LinkUsedError):
        await authenticating.use_link(database, secret, None, clock())
    assert await database.fetchval("SELECT count(*) FROM staff_session") == 1


async def test_a_cookie_chosen_by_somebody_else_never_becomes_a_session(
    anonymous: httpx.AsyncClient, services: Services, clock: Clock, account: UUID
) -> None:
    anonymous.cookies.set("sid", "chosen-by-eve")
    path = await authenticating.print_link(services.database, services.keys, account, clock())
    answer = await open_link(anonymous, path)
    given = re.search(r"sid=([^;]+)", answer.headers["set-cookie"])

    assert given is not None
    assert given[1] != "chosen-by-eve"


async def test_the_session_cookie_is_bound_to_https_host_and_http(
    services: Services, ready: None, clock: Clock, account: UUID
) -> None:
    secure = over_https(services)
    path = await authenticating.print_link(services.database, services.keys, account, clock())
    async with open_client(secure) as client:
        answer = await open_link(client, path)
    cookie = next(
        value for value in answer.headers.get_list("set-cookie") if "__Host-sid=" in value
    )

    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)
    assert "max-age=63072000" in answer.headers["strict-transport-security"]


Later = Callable[[Clock], None]


@pytest.mark.parametrize(
    ("steps", "status"),
    [([479], 303), ([481], 403), ([420, 420], 403), ([420, 290], 303), ([420, 310], 403)],
    ids=["idle ends not yet", "idle", "moved beyond the end", "just before", "just after"],
)
async def test_a_session_ends_after_eight_idle_hours_and_after_twelve_in_all(
    sign_in: SignIn, clock: Clock, steps: list[int], status: int
) -> None:
    browser = await sign_in("coordinator")
    for minutes in steps[:-1]:
        clock.go_on(timedelta(minutes=minutes))
        await browser.get("/buero/einstellungen")
    clock.go_on(timedelta(minutes=steps[-1]))
    answer = await browser.client.get("/buero/einstellungen")

    assert (200 if status == 303 else 303) == answer.status_code


async def test_signing_out_ends_the_session_on_the_server(
    sign_in: SignIn, services: Services
) -> None:
    browser = await sign_in("reader")
    secret = browser.client.cookies["sid"]
    out = await browser.post("/abmelden")
    browser.client.cookies.clear()
    browser.client.cookies.set("sid", secret)
    after = await browser.post("/abmelden")

    assert (303, "/anmelden?abgemeldet=1") == (out.status_code, out.headers["location"])
    assert after.status_code == 403


async def test_an_account_that_was_ended_is_signed_out_at_once(
    sign_in: SignIn, database: Database
) -> None:
    browser = await sign_in("coordinator")
    before = await browser.get("/buero")
    await database.fetch("UPDATE account SET disabled_at = now()")
    after = await browser.get("/buero")

    assert (before.status_code, after.status_code == before.status_code) == (200, False)


async def test_signing_in_again_ends_the_browser_s_former_session(
    services: Services, database: Database, account: UUID
) -> None:
    now = services.clock()
    async with database.unit_of_work() as unit:
        first = await keeping_sessions.open_new(unit.connection, account, None, now)
        other = await keeping_sessions.open_new(unit.connection, account, None, now)
        second = await keeping_sessions.open_new(unit.connection, account, first, now)
    found = [await keeping_sessions.find(database, each, now) for each in (first, other, second)]

    assert [session is not None for session in found] == [False, True, True]


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "/buero/\t//evil", "evil"],
)
async def test_after_signing_in_nobody_is_sent_to_another_site(
    anonymous: httpx.AsyncClient,
    services: Services,
    database: Database,
    account: UUID,
    target: str,
) -> None:
    await ask(anonymous)
    code = tokens.one_time_code(services.keys, await newest_token(database))
    answer = await anonymous.post("/anmelden/code", data={"code": code, "weiter": target})

    assert answer.headers["location"].startswith("/buero")
    assert "evil" not in answer.headers["location"] or answer.headers["location"][1] != "/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "cross-site", "origin": PUBLIC_URL}, 403),
        ({"sec-fetch-site": "same-site", "origin": PUBLIC_URL}, 403),
        ({"origin": PUBLIC_URL}, 303),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({}, 403),
    ],
)
async def test_forms_of_the_office_are_taken_from_our_own_pages_only(
    sign_in: SignIn, headers: dict[str, str], status: int
) -> None:
    browser = await sign_in("coordinator")
    answer = await browser.client.post("/abmelden", data={"ft": browser.ft}, headers=headers)

    assert status == answer.status_code


@pytest.mark.parametrize("ft", ["", "ä", "1.2", "0" * 43, "69a.".ljust(36, "f")])
async def test_a_foreign_form_token_changes_nothing(sign_in: SignIn, ft: str) -> None:
    browser = await sign_in("coordinator")
    same = {"sec-fetch-site": "same-origin"}
    answer = await browser.client.post("/abmelden", data={"ft": ft}, headers=same)
    still = await browser.post("/abmelden")

    assert [403, 303] == [answer.status_code, still.status_code]


async def test_a_sign_in_page_that_lay_open_too_long_is_shown_again(
    anonymous: httpx.AsyncClient, services: Services, clock: Clock, account: UUID
) -> None:
    path = await authenticating.print_link(services.database, services.keys, account, clock())
    shown = await anonymous.get(path)
    clock.go_on(timedelta(hours=13))
    late = await anonymous.post(path, data={"ft": form_token(shown)})
    again = await anonymous.post(path, data={"ft": form_token(late)})

    assert [422, 303] == [late.status_code, again.status_code]
    assert "Das Formular war zu lange offen" in late.text
