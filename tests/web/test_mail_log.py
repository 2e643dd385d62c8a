"""The mail log as the office reads it, and what it can do about a letter."""

import ast
import html
import re
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from notifications import backoff
from notifications.backoff import Phase, Reply
from notifications.outbox import State
from notifications.postman import Postman
from service import phrasing, plain_letters, posting
from service.auditing import COMMAND, Actor
from service.database import Database
from service.domain.errors import NotFoundError
from service.domain.words import State as MeetingState
from service.pages.catalogue import LOCALES, texts
from service.posting import Wanted
from tests import builders
from tests.notifications import builders as mail
from tests.notifications import smtp_servers
from tests.notifications.builders import AClerk, a_letter
from tests.web.conftest import SignIn

NOW = datetime.now(UTC).replace(microsecond=0)
ROOT = Path(__file__).parents[2]


async def an_invitation_letter(database: Database, name: str = "Erika Muster") -> dict[str, Any]:
    """Post an invitation to a person about a session, and return both with the letter's id."""
    starts = datetime.combine(datetime.now(UTC).date(), time(10)) + timedelta(days=60)
    meeting = await builders.a_meeting(database, title=f"Sitzung mit {name}", starts_local=starts)
    person = await builders.a_person(database, full_name=name)
    letter = a_letter(recipient_id=person["id"], subject_id=meeting["id"])
    [letter_id] = await mail.post(database, letter)
    return {"id": letter_id, "person": person, "meeting": meeting}


async def set_state(database: Database, letter_id: UUID, state: str, reason: str | None) -> None:
    await database.fetch(
        "UPDATE outbox SET state = $2, reason = $3 WHERE id = $1", letter_id, state, reason
    )


async def refuse(database: Database, letter_id: UUID, reply: str) -> None:
    """Let a mail server refuse the letter's address with these words."""
    async with smtp_servers.running(
        lambda line, _: reply if line.upper().startswith("RCPT") else None
    ) as server:
        postman = Postman(database, server.relay(), AClerk(), mail.SENDER)
        await postman.deliver()
        await postman.stop()


async def test_the_log_says_in_words_whom_a_letter_did_not_reach_and_why(
    sign_in: SignIn, database: Database
) -> None:
    sent = await an_invitation_letter(database)
    await refuse(database, sent["id"], "550 5.1.1 no such person")
    browser = await sign_in("coordinator")

    page = (await browser.get("/buero/versand")).text
    detail = (await browser.get(f"/buero/versand/{sent['id']}")).text
    english = (await browser.get("/en/buero/versand")).text
    words = ("Einladung", "Sitzung mit Erika Muster", "Erika Muster", "abgelehnt")
    assert [] == [word for word in (*words, "Adresse gibt es nicht") if word not in page]
    assert [] == [word for word in ("Empfängeradresse", "no such person") if word not in detail]
    assert [] == [word for word in ("rejected", "address does not exist") if word not in english]


async def test_the_log_is_filtered_by_state_session_and_words(
    sign_in: SignIn, database: Database
) -> None:
    erika = await an_invitation_letter(database, "Erika Muster")
    jan = await an_invitation_letter(database, "Jan Beispiel")
    await set_state(database, jan["id"], "failed", "policy")
    browser = await sign_in("coordinator")

    queries = (
        "?zustand=queued",
        "?zustand=look",
        f"?termin={erika['meeting']['id']}",
        "?suche=beispiel",
        f"?suche={jan['person']['email']}",
        "?suche=100%25",
        "?zustand=nonsense&termin=x&seite=-3",
    )
    shown = []
    for query in queries:
        text = (await browser.get(f"/buero/versand{query}")).text
        shown.append([letter["id"] for letter in (erika, jan) if str(letter["id"]) in text])
    one, two = erika["id"], jan["id"]
    assert [[one], [two], [one], [two], [two], [], [one, two]] == shown


async def test_letters_of_one_press_stand_by_name_and_a_copy_behind_its_letter(
    database: Database,
) -> None:
    people = [
        await builders.a_person(database, full_name=name, sort_key=name.lower())
        for name in ("Mira Muster", "Anna Amt", "Zoe Zimmer")
    ]
    kinds = ("copy", "invitation")
    letters = [a_letter(recipient_id=one["id"], kind=kind) for one in people for kind in kinds]
    await mail.post(database, *letters)

    found = await posting.list_letters(database, Wanted())

    names = sorted(person["full_name"] for person in people)
    wanted = [(name, kind) for name in names for kind in ("invitation", "copy")]
    assert wanted == [(one.name, one.kind) for one in found.letters]
    assert found.letters == tuple(await posting.list_all(database, Wanted()))


async def test_leafing_through_the_log_skips_and_repeats_no_letter_whatever_happens_meanwhile(
    sign_in: SignIn, database: Database
) -> None:
    posted = [
        *await mail.post(database, *(a_letter(number) for number in range(60))),
        *await mail.post(database, *(a_letter(number) for number in range(60))),
    ]
    browser = await sign_in("coordinator")
    seen: list[list[UUID]] = []
    path: str | None = "/buero/versand?zustand=queued"
    while path:
        text = (await browser.get(path)).text
        seen.append(_shown(text))
        path = _leaf(text, "next")
        if len(seen) == 1:
            # New letters arrive in front, and some of the first page are settled.
            await mail.post(database, *(a_letter(number) for number in range(7)))
            for one in seen[0][:11]:
                await set_state(database, one, "cancelled", "taken_back")
    back = [_shown(text)]
    while (path := _leaf(text, "prev")) and len(back) < len(seen):
        text = (await browser.get(path)).text
        back.append(_shown(text))

    assert [50, 50, 20] == [len(page) for page in seen]
    assert sorted(posted) == sorted(one for page in seen for one in page)
    assert seen[1] == back[1]
    # What arrived meanwhile stands in front of what is left of the first page, which is filled up.
    assert [*seen[0][11:], *seen[1][:4]] == back[2][7:]


def _shown(text: str) -> list[UUID]:
    return [UUID(one) for one in re.findall(r'href="/buero/versand/([0-9a-f-]{36})"', text)]


def _leaf(text: str, rel: str) -> str | None:
    found = re.search(rf'rel="{rel}" href="([^"]+)"', text)
    return found and html.unescape(found[1])


async def test_the_log_is_filtered_by_kind_person_day_and_report(
    sign_in: SignIn, database: Database
) -> None:
    erika = await an_invitation_letter(database, "Erika Muster")
    jan = await an_invitation_letter(database, "Jan Beispiel")
    await database.fetch("UPDATE letter SET kind = 'nudge' WHERE id = $1", jan["id"])
    await database.fetch(
        "UPDATE outbox SET state = 'sent', dsn_state = 'delivered' WHERE id = $1", jan["id"]
    )
    old = "UPDATE letter SET created_at = created_at - interval '9 days' WHERE id = $1"
    await database.fetch(old, erika["id"])
    browser = await sign_in("coordinator")

    week_ago = (NOW - timedelta(days=7)).date()
    queries = (
        "?art=nudge",
        f"?person={erika['person']['id']}",
        "?meldung=delivered",
        f"?von={week_ago}",
        f"?bis={week_ago}",
        "?von=9999-12-31&bis=0001-01-01",
        "?meldung=odd&art=",
    )
    shown = []
    for query in queries:
        text = (await browser.get(f"/buero/versand{query}")).text
        shown.append([letter["id"] for letter in (erika, jan) if str(letter["id"]) in text])
    one, two = erika["id"], jan["id"]
    assert [[two], [one], [two], [two], [one], [one, two], [one, two]] == shown


async def test_the_ledger_of_a_person_says_what_servers_reported_on_page_paper_and_table(
    sign_in: SignIn, database: Database
) -> None:
    erika = await an_invitation_letter(database, "Erika Muster")
    jan = await an_invitation_letter(database, "=Jan Beispiel")
    for letter, state, reason, report in (
        (erika, "sent", None, "delivered"),
        (jan, "failed", "bounced", "failed"),
    ):
        await set_state(database, letter["id"], state, reason)
        report_sql = "UPDATE outbox SET dsn_state = $2 WHERE id = $1"
        await database.fetch(report_sql, letter["id"], report)
    browser = await sign_in("coordinator")
    member = (await browser.get(f"/buero/mitglied/{erika['person']['id']}")).text
    query = f"?person={erika['person']['id']}"
    page, paper = [
        (await browser.get(f"/buero/versand{path}{query}")).text for path in ("", "/drucken")
    ]
    table = await browser.get("/buero/versand/tabelle")
    english = (await browser.get(f"/en/buero/versand/{erika['id']}")).text

    assert f"/buero/versand{query}" in member
    assert [] == [text for text in (page, paper) if "zugestellt laut Empfangsserver" not in text]
    assert str(jan["id"]) not in page
    assert "Jan Beispiel" not in paper
    assert "Nur E-Mails an" in page
    assert "E-Mails an Erika Muster" in paper
    assert "text/csv" in table.headers["content-type"]
    assert "zurückgekommen" in table.text
    assert "'=Jan Beispiel" in table.text
    assert "delivered, says the receiving server" in english


async def test_a_letter_that_left_can_be_read_with_its_links_struck_out(
    sign_in: SignIn, database: Database
) -> None:
    sent = await an_invitation_letter(database)
    async with smtp_servers.running() as server:
        postman = Postman(database, server.relay(), AClerk(), mail.SENDER)
        await postman.deliver()
        await postman.stop()
    browser = await sign_in("coordinator")
    page = (await browser.get(f"/buero/versand/{sent['id']}")).text
    await database.fetch("UPDATE letter SET slot_values = NULL")
    purged = (await browser.get(f"/buero/versand/{sent['id']}")).text

    assert "Guten Tag " in page
    assert "https://xxxxxxxx" in page
    assert mail.LINK not in page
    assert "Auto-Submitted" in page
    assert "&lt;html lang=&#34;de&#34;&gt;" in page
    assert "Guten Tag " not in purged
    assert "nach 30 Tagen gelöscht" in purged


async def test_the_log_shows_fifty_a_page_and_the_last_one_where_there_are_no_more(
    database: Database,
) -> None:
    await mail.post(database, *(a_letter(number) for number in range(51)))

    pages = [await posting.list_letters(database, Wanted(page=page)) for page in (1, 2, 9)]
    assert [(50, 1), (1, 2), (1, 2)] == [(len(one.letters), one.page) for one in pages]
    assert [(51, 2)] * 3 == [(one.total, one.pages) for one in pages]


async def test_a_refused_letter_is_sent_again_once_however_often_one_presses(
    sign_in: SignIn, database: Database
) -> None:
    sent = await an_invitation_letter(database)
    await set_state(database, sent["id"], "failed", "address_refused")
    browser = await sign_in("coordinator")
    path = f"/buero/versand/{sent['id']}/erneut-senden"
    answers = [(await browser.post(path)).headers["location"] for _ in range(2)]

    rows = await database.fetch(
        "SELECT state FROM letter JOIN outbox USING (id) WHERE recipient_id = $1 ORDER BY state",
        sent["person"]["id"],
    )
    assert ["repeated", "too_late"] == [answer.rpartition("=")[2] for answer in answers]
    assert ["failed", "queued"] == [row["state"] for row in rows]


async def test_what_was_refused_but_not_for_the_address_is_a_choice_of_its_own(
    sign_in: SignIn, database: Database
) -> None:
    names = ("Erika Unerwünscht", "Erika Unbekannt", "Erika Wartend")
    unwelcome, unknown, waiting = [await an_invitation_letter(database, name) for name in names]
    await set_state(database, unwelcome["id"], "failed", "policy")
    await set_state(database, unknown["id"], "failed", "address_refused")
    browser = await sign_in("coordinator")
    page = (await browser.get("/buero/versand?zustand=refused")).text
    table = (await browser.get("/buero/versand/tabelle?zustand=refused")).text

    ids = [letter["id"] for letter in (unwelcome, unknown, waiting)]
    assert [True, False, False] == [f'href="/buero/versand/{one}"' in page for one in ids]
    assert [True, False, False] == [name in table for name in names]
    assert '<option value="refused" selected' in page


async def test_an_alarm_of_refused_letters_leads_to_them(
    sign_in: SignIn, database: Database, ready: None
) -> None:
    await database.fetch(
        "INSERT INTO alarm (reason, began_at, seen_at, letters)"
        " VALUES ('letters_refused', now(), now(), 2)"
    )
    browser = await sign_in("coordinator")
    pages = [(await browser.get(path)).text for path in ("/buero", "/buero/versand")]

    assert [True, True] == ['href="/buero/versand?zustand=refused"' in page for page in pages]
    assert "2 E-Mails wurden endgültig abgelehnt" in pages[0]


async def test_what_was_sent_again_or_is_over_needs_no_look_any_more(
    sign_in: SignIn, database: Database
) -> None:
    again, over, waits = [await an_invitation_letter(database) for _ in range(3)]
    for one in (again, over, waits):
        await set_state(database, one["id"], "failed", "address_refused")
    await database.fetch("UPDATE meeting SET starts_at = now(), ends_at = now() + interval '1 day'")
    await database.fetch(
        "UPDATE meeting SET starts_at = now() - interval '2 days',"
        " ends_at = now() - interval '1 day' WHERE id = $1",
        over["meeting"]["id"],
    )
    browser = await sign_in("coordinator")
    before = (await browser.get("/buero")).text
    await posting.repeat(database, COMMAND, again["id"], NOW)
    after = (await browser.get("/buero")).text
    page = (await browser.get("/buero/versand?zustand=look")).text

    found = [one["id"] for one in (again, over, waits) if str(one["id"]) in page]
    assert "2 E-Mails sind nicht angekommen." in before
    assert "1 E-Mail ist nicht angekommen." in after
    assert [waits["id"]] == found


async def test_a_repeated_letter_waits_until_its_session_begins(database: Database) -> None:
    sent = await an_invitation_letter(database)
    await set_state(database, sent["id"], "expired", "expired")
    starts_at = NOW + timedelta(days=9)
    await database.fetch("UPDATE meeting SET starts_at = $1, ends_at = NULL", starts_at)
    await posting.repeat(database, COMMAND, sent["id"], NOW)

    assert starts_at == await database.fetchval(
        "SELECT expires_at FROM outbox WHERE state = 'queued'"
    )


@pytest.mark.parametrize("state", [state for state in State if state not in {"failed", "dead"}])
async def test_what_waits_arrived_or_was_skipped_is_not_sent_again(
    database: Database, state: State
) -> None:
    sent = await an_invitation_letter(database)
    await set_state(database, sent["id"], state, None)
    expected = state is State.EXPIRED

    assert expected == await posting.repeat(database, COMMAND, sent["id"], NOW)


async def test_a_sign_in_link_is_never_sent_again(database: Database) -> None:
    account = await builders.an_account(database)
    [letter] = await mail.post(database, a_letter(kind="sign_in", recipient_id=account["id"]))
    await set_state(database, letter, "failed", "policy")

    found = await posting.find_letter(database, letter)
    assert (False, account["full_name"]) == (found.can_repeat, found.name)


async def test_a_waiting_letter_is_withdrawn_and_the_audit_says_who_did_it(
    sign_in: SignIn, database: Database
) -> None:
    sent, other = await an_invitation_letter(database), await an_invitation_letter(database)
    browser = await sign_in("coordinator")
    await browser.post(f"/buero/versand/{sent['id']}/zurueckziehen")

    states = [(await mail.state_of(database, one["id"]))["state"] for one in (sent, other)]
    who = await database.fetchval("SELECT actor_id FROM audit WHERE action = 'letter_withdrawn'")
    page = (await browser.get(f"/buero/versand/{sent['id']}")).text
    assert (["cancelled", "queued"], browser.account_id) == (states, who)
    assert "übersprungen" in page
    assert "zurückgenommen" in page


async def test_letters_held_after_a_restore_are_released_one_by_one_or_all(
    sign_in: SignIn, database: Database
) -> None:
    letters = await mail.post(database, *(a_letter(number) for number in range(4)))
    for letter in letters[:3]:
        await set_state(database, letter, "held", "restored")
    await set_state(database, letters[3], "held", "not_ready")
    browser = await sign_in("coordinator")
    before = (await browser.get("/buero/versand")).text
    await browser.post(f"/buero/versand/{letters[0]}/freigeben")
    await browser.post(f"/buero/versand/{letters[3]}/freigeben")
    one = [(await mail.state_of(database, letter))["state"] for letter in letters]
    answer = await browser.post("/buero/versand/freigeben")
    all_of_them = [(await mail.state_of(database, letter))["state"] for letter in letters]

    assert "3 E-Mails sind nach einer Wiederherstellung angehalten." in before
    assert ["queued", "held", "held", "held"] == one
    assert ["queued", "queued", "queued", "held"] == all_of_them
    assert "n=2" in answer.headers["location"]


@pytest.mark.parametrize(
    ("state", "reason", "act"),
    [("failed", "address_refused", posting.repeat), ("held", "undeliverable", posting.release)],
)
async def test_sending_again_gives_a_refused_address_another_try(
    database: Database, state: str, reason: str, act: Any
) -> None:
    sent, other = await an_invitation_letter(database), await an_invitation_letter(database)
    who = await builders.an_account(database)
    for one in (sent, other):
        await set_state(database, one["id"], state, reason)
        await builders.insert(
            database,
            "address_state",
            address_normal=one["person"]["email_normal"],
            state="undeliverable",
            score=1,
        )
    await act(database, Actor("account", who["id"]), sent["id"], NOW)

    rows = await database.fetch("SELECT address_normal, state, cleared_by FROM address_state")
    found = {row["address_normal"]: (row["state"], row["cleared_by"]) for row in rows}
    assert {
        sent["person"]["email_normal"]: ("ok", who["id"]),
        other["person"]["email_normal"]: ("undeliverable", None),
    } == found


async def test_an_unknown_letter_is_not_there(database: Database) -> None:
    with pytest.raises(NotFoundError):
        await posting.find_letter(database, uuid4())


def _constants(node: ast.AST) -> set[str]:
    """Return the words that an expression may come to, without those it compares."""
    if isinstance(node, ast.IfExp):
        return _constants(node.body) | _constants(node.orelse)
    if isinstance(node, ast.BoolOp):
        return set().union(*map(_constants, node.values))
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def reasons_of_judging() -> set[str]:
    tree = ast.parse((ROOT / "service/judging.py").read_text())
    returned = [
        node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value
    ]
    words = set().union(*map(_constants, returned))
    return words | {f"meeting_{state}" for state in MeetingState}


def reasons_of_calls() -> set[str]:
    """Return the reasons that stand as words in a call that stops or takes back a letter."""
    found: set[str] = set()
    for package in ("service", "notifications"):
        for file in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if not isinstance(node, ast.Call):
                    continue
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                place = {"Stop": 0, "stopped": 2, "take_back": 2, "cancel": 3}.get(name)
                if place is not None and len(node.args) > place:
                    found |= _constants(node.args[place])
    return found


def reasons_of_statements() -> set[str]:
    files = [*(ROOT / "service").rglob("*.py"), *(ROOT / "notifications").rglob("*.py")]
    text = "\n".join(file.read_text() for file in files)
    chosen = re.findall(r"reason = CASE.*?END|_REASON = [^\n]*", text, re.DOTALL)
    branches = re.findall(r"(?:THEN|ELSE) '(\w+)'", "".join(chosen))
    return {*re.findall(r"\breason = '(\w+)'", text), *branches}


def reasons_of_failures() -> set[str]:
    replies = [None, *(Reply(code, f"5.{n}.1 x") for code in (450, 550) for n in range(8))]
    decided = [
        backoff.decide(phase, reply, attempts)
        for phase in Phase
        for reply in replies
        for attempts in (0, 9)
    ]
    outcomes = [*decided, *(rule.follows(1.0) for rule in backoff.RULES)]
    return {outcome.reason for outcome in outcomes if outcome.reason}


@pytest.mark.parametrize("locale", LOCALES)
def test_every_reason_that_the_code_can_give_has_words(locale: str) -> None:
    known = texts(locale)
    reasons = (
        reasons_of_judging() | reasons_of_calls() | reasons_of_statements() | reasons_of_failures()
    )

    seen = {"declined", "gone", "address_malformed", "restored", "assumed_sent", "gave_up"}
    assert seen | {"relay_config", "unwritable", "superseded", "undeliverable"} <= reasons
    assert [] == sorted(one for one in reasons if not known.has(f"reason.{one}"))


@pytest.mark.parametrize("locale", LOCALES)
def test_every_kind_state_and_phase_has_words(locale: str) -> None:
    known = texts(locale)
    kinds = {*phrasing._BODIES, *plain_letters._BODIES}
    ids = [f"kind.{kind}" for kind in kinds] + [f"mail.state.{state}" for state in State]

    assert [] == [one for one in ids if not known.has(one)]
    assert [] == [phase for phase in Phase if not known.has(f"log.phase_{phase}")]


def test_nothing_says_delivered_where_only_a_server_accepted() -> None:
    words = texts("de").wordings

    found = [key for key in words if any("zugestellt" in one.lower() for one in words[key].forms())]
    # The one place where a recipient's server said so itself.
    assert ["dsn.delivered"] == found


async def test_a_letter_of_a_kind_without_a_name_is_shown_in_the_log(
    sign_in: SignIn, database: Database
) -> None:
    [letter] = await mail.post(database, a_letter(1, kind="minutes_published"))
    await set_state(database, letter, "held", "kind_unknown")
    browser = await sign_in("coordinator")
    pages = [
        (await browser.get(path)).text for path in ("/buero/versand", f"/buero/versand/{letter}")
    ]

    assert [True, True] == ["E-Mail einer neueren Version" in page for page in pages]
    assert "eine neuere Version des Programms hat sie geschrieben" in pages[0]
    assert 'value="unnamed"' not in pages[0]
