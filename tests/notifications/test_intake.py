"""What comes back is taken in once, finds its letter, and letter and address learn from it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from notifications import intake
from notifications.bounces import Kind
from notifications.intake import Heard
from notifications.storage import Connection
from service.database import Database
from tests.notifications import builders
from tests.notifications.returned import (
    OPTIONS,
    PLAIN,
    a_sent_letter,
    address,
    events,
    sample,
    standing,
)

NOW = datetime.now(UTC)
UNNAMED = b"From: mailer-daemon@x.example\r\nSubject: failure notice\r\n\r\n550 5.1.1 unknown\r\n"


async def test_the_same_report_twice_is_one_event(database: Database) -> None:
    letter = await a_sent_letter(database)
    raw = sample("postfix_unknown_user", letter)
    taken = [await intake.take(database, OPTIONS, raw, address(letter), NOW) for _ in range(2)]

    [event] = await events(database)
    assert [True, False] == [one.is_new for one in taken]
    assert ("bounce", letter, "5.1.1") == (
        event["kind"],
        event["letter_id"],
        event["details"]["status"],
    )


async def test_a_bounce_fails_its_letter_and_blames_the_address(database: Database) -> None:
    letter = await a_sent_letter(database)
    await intake.take(database, OPTIONS, sample("qmail_no_mailbox", letter), address(letter), NOW)

    row = await builders.state_of(database, letter)
    assert ("failed", "bounced", "5.1.1") == (row["state"], row["reason"], row["last_enhanced"])
    assert "soft" == await standing(database)


async def test_dsn_failed_marks_undeliverable_after_two_letters(database: Database) -> None:
    for name in ("exim_unknown_user", "gmail_unknown_user"):
        letter = await a_sent_letter(database)
        await intake.take(database, OPTIONS, sample(name, letter), None, NOW)

    assert "undeliverable" == await standing(database)


@pytest.mark.parametrize(
    ("name", "state", "dsn_state", "stands"),
    [
        ("postfix_delivered", "sent", "delivered", None),
        ("postfix_relayed", "sent", "relayed", None),
        ("postfix_delayed", "sent", "delayed", None),
        ("out_of_office_german", "sent", "none", None),
        ("words_outlook", "sent", "none", None),
        ("postfix_spam_policy", "failed", "failed", None),
        ("arf_complaint", "sent", "none", "blocked"),
        ("own_letter", "uncertain", "none", None),
    ],
)
async def test_each_kind_says_something_else_about_an_unclear_letter(
    database: Database, name: str, state: str, dsn_state: str, stands: str | None
) -> None:
    letter = await a_sent_letter(database, "uncertain")
    await intake.take(database, OPTIONS, sample(name, letter), address(letter), NOW)

    row = await builders.state_of(database, letter)
    assert (state, dsn_state) == (row["state"], row["dsn_state"])
    assert stands == await standing(database)


async def test_a_person_who_writes_proves_that_the_address_works(database: Database) -> None:
    first, second = [await a_sent_letter(database) for _ in range(2)]
    await intake.take(database, OPTIONS, sample("gmail_over_quota", first), None, NOW)
    before = await standing(database)
    await intake.take(database, OPTIONS, sample("words_outlook", second), None, NOW)

    assert ("soft", "ok") == (before, await standing(database))


async def test_out_of_office_ignored_and_leaves_no_words(database: Database) -> None:
    first, second = [await a_sent_letter(database) for _ in range(2)]
    await intake.take(database, OPTIONS, sample("gmail_over_quota", first), None, NOW)
    await intake.take(database, OPTIONS, sample("out_of_office_german", second), None, NOW)

    event = (await events(database))[-1]
    assert "soft" == await standing(database)
    assert ("auto_reply", {"sort", "back_on"}) == (event["kind"], set(event["details"]))


async def test_a_forged_return_address_names_no_letter(database: Database) -> None:
    letter = await a_sent_letter(database)
    local, _, domain = address(letter).partition("@")
    forged = f"{local[:-1]}{'0' if local[-1] != '0' else '1'}@{domain}"
    taken = await intake.take(database, OPTIONS, UNNAMED, forged, NOW)

    assert (Kind.BOUNCE, None) == (taken.kind, taken.letter_id)
    assert "sent" == (await builders.state_of(database, letter))["state"]


async def test_a_return_address_names_its_letter_without_a_word_in_the_mail(
    database: Database,
) -> None:
    letter = await a_sent_letter(database)
    from_mailbox = UNNAMED.replace(
        b"From:", b"Delivered-To: %b\r\nFrom:" % address(letter).encode()
    )
    taken = [
        await intake.take(database, OPTIONS, UNNAMED, address(letter).upper(), NOW),
        await intake.take(database, OPTIONS, from_mailbox, None, NOW),
        await intake.take(database, OPTIONS, UNNAMED, PLAIN, NOW),
    ]

    assert [letter, letter, None] == [one.letter_id for one in taken]


async def test_a_return_address_ends_after_sixty_days(database: Database) -> None:
    letter = await a_sent_letter(database)
    late = NOW + timedelta(days=61)
    taken = await intake.take(database, OPTIONS, UNNAMED, address(letter), late)

    assert None is taken.letter_id


async def test_an_address_alone_names_no_letter(database: Database) -> None:
    await a_sent_letter(database)
    raw = (
        b"From: mailer-daemon@x.example\r\nSubject: failure notice\r\n\r\n"
        b"<erika@town.example>: 550 5.1.1 unknown\r\n"
    )
    taken = await intake.take(database, OPTIONS, raw, PLAIN, NOW)

    [event] = await events(database)
    assert (None, "erika@town.example") == (taken.letter_id, event["details"]["recipient"])
    assert None is await standing(database)


async def test_that_a_letter_was_opened_is_not_kept(database: Database) -> None:
    letter = await a_sent_letter(database)
    taken = await intake.take(database, OPTIONS, sample("mdn_displayed", letter), None, NOW)

    assert not taken.is_new
    assert [] == await events(database)


async def test_mail_that_breaks_the_reader_is_kept_for_the_office(database: Database) -> None:
    nested = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(1200)
    )
    taken = await intake.take(database, OPTIONS, b"From: a@x.example\r\n" + nested, PLAIN, NOW)

    assert (True, None) == (taken.is_new, taken.letter_id)


async def test_words_are_handed_on_in_the_transaction_that_keeps_them(database: Database) -> None:
    letter = await a_sent_letter(database)
    heard: list[Heard] = []

    async def fail_once(_: Connection, one: Heard) -> None:
        heard.append(one)
        if len(heard) == 1:
            raise OSError

    options = replace(OPTIONS, hear=fail_once)
    raw = sample("calendar_reply", letter)
    with pytest.raises(OSError):  # noqa: PT011 - raised without words
        await intake.take(database, options, raw, address(letter), NOW)
    kept_before = await events(database)
    await intake.take(database, options, raw, address(letter), NOW)

    assert [] == kept_before
    assert [(letter, raw, True)] * 2 == [
        (one.letter_id, one.raw, one.report.has_calendar) for one in heard
    ]


async def test_events_are_forgotten_by_kind_and_age(database: Database) -> None:
    for name in ("out_of_office_german", "postfix_unknown_user"):
        letter = await a_sent_letter(database)
        await intake.take(database, OPTIONS, sample(name, letter), None, NOW)
    later = NOW + timedelta(days=1)
    async with database.unit_of_work() as unit:
        early = await intake.forget(unit.connection, NOW - timedelta(days=1))
        by_kind = await intake.forget(unit.connection, later, kinds=(Kind.AUTO_REPLY,))
        rest = await intake.forget(unit.connection, later)

    assert (0, 1, 1) == (early, by_kind, rest)


@pytest.mark.parametrize(
    ("recipient", "is_ours"),
    [
        (PLAIN, True),
        ("Termine@Alliance.example.org", True),
        ("rueck+aaaaaaaaaaaaaaaaaaaaaaaaaa0123456789abcdef@alliance.example.org", False),
        ("somebody@alliance.example.org", False),
        ("", False),
    ],
)
def test_only_our_own_addresses_are_ours(recipient: str, *, is_ours: bool) -> None:
    assert is_ours is intake.is_ours(OPTIONS, recipient)


async def test_who_writes_to_the_address_for_unsubscribing_is_heard_and_nothing_is_kept(
    database: Database,
) -> None:
    stopped = []

    async def stop(token: str) -> None:
        stopped.append(token)

    options = replace(OPTIONS, stop_address="unsub+@alliance.example.org", stop=stop)
    to = "Unsub+abc234@Alliance.example.org"
    raw = b"From: Mira <mira@example.org>\r\nSubject: unsubscribe\r\n\r\n\r\n"
    taken = [await intake.take(database, options, raw, to, NOW) for _ in range(2)]

    assert ["abc234"] * 2 == stopped
    assert [False] * 2 == [one.is_new for one in taken]
    assert [] == await events(database)
    asked = (to, "unsub@alliance.example.org", "unsub+abc@elsewhere.example", "uns+ub@x.example")
    assert [True, False, False, False] == [intake.is_ours(options, one) for one in asked]
    assert not intake.is_ours(OPTIONS, to)


async def test_a_mailbox_says_by_its_heads_who_unsubscribes_and_a_servers_word_counts_alone(
    database: Database,
) -> None:
    stopped = []

    async def stop(token: str) -> None:
        stopped.append(token)

    options = replace(OPTIONS, stop_address="rueck+u-@alliance.example.org", stop=stop)
    letter = await a_sent_letter(database)
    own = "Rueck+U-abc234@Alliance.example.org"
    raw = f"Delivered-To: {own}\r\nFrom: mira@example.org\r\n\r\nIch komme.".encode()
    in_mailbox = await intake.take(database, options, raw, None, NOW)
    by_server = await intake.take(database, options, raw, address(letter), NOW)

    assert ["abc234"] == stopped
    assert [True, False] == [one.is_stop for one in (in_mailbox, by_server)]
    assert [letter] == [event["letter_id"] for event in await events(database)]
