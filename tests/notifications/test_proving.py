"""What comes back is believed of those only who can have had the letter in hand."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from notifications import bounces, intake
from notifications.bounces import Kind
from service.database import Database
from tests.notifications import builders
from tests.notifications.returned import (
    ERIKA,
    OPTIONS,
    PLAIN,
    a_sent_letter,
    address,
    events,
    sample,
    standing,
    to_everybody,
)

NOW = datetime.now(UTC)
WITHOUT_TAGS = replace(OPTIONS, returns=replace(OPTIONS.returns, per_letter=False))
_SENT_ON = b"Final-Recipient: rfc822; erika.privat@home.example"


async def state(database: Database, letter: UUID) -> str:
    return str((await builders.state_of(database, letter))["state"])


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("postfix_unknown_user", Kind.BOUNCE),
        ("qmail_no_mailbox", Kind.BOUNCE),
        ("postfix_delivered", Kind.DELIVERED),
        ("arf_complaint", Kind.COMPLAINT),
    ],
)
async def test_who_knows_no_more_than_a_letters_id_reports_nothing_of_it(
    database: Database, name: str, kind: Kind
) -> None:
    letter = await a_sent_letter(database)
    await database.fetch("UPDATE outbox SET state = 'uncertain', uncertain_count = 1")
    raw = to_everybody(sample(name, letter), letter)
    taken = [await intake.take(database, OPTIONS, raw, to, NOW) for to in (PLAIN, None)]

    assert [(kind, None, True)] * 2 == [(one.kind, one.letter_id, one.is_new) for one in taken]
    assert ("uncertain", None) == (await state(database, letter), await standing(database))


async def test_an_answer_names_its_letter_by_the_id_that_it_answers_to(database: Database) -> None:
    letter = await a_sent_letter(database)
    raw = to_everybody(sample("words_outlook", letter), letter)
    taken = await intake.take(database, OPTIONS, raw, "termine@alliance.example.org", NOW)

    assert (Kind.WORDS, letter) == (taken.kind, taken.letter_id)


async def test_a_complaint_blocks_by_the_return_address_that_it_quotes(database: Database) -> None:
    letter = await a_sent_letter(database)
    raw = sample("arf_complaint", letter)
    quoted = raw.replace(b"Original-Mail-From", b"X-Nothing")
    await intake.take(database, OPTIONS, quoted.replace(b"\nTo: ", b"\nX-To: "), PLAIN, NOW)

    assert "blocked" == await standing(database)


async def test_an_old_return_address_proves_nothing_though_the_report_names_the_letter(
    database: Database,
) -> None:
    letter = await a_sent_letter(database)
    raw = sample("postfix_unknown_user", letter)
    late = NOW + timedelta(days=61)
    taken = [
        await intake.take(database, options, raw, address(letter), late)
        for options in (OPTIONS, WITHOUT_TAGS)
    ]

    assert [None, None] == [taken[0].letter_id, taken[1].letter_id]
    assert ("sent", None) == (await state(database, letter), await standing(database))


async def test_where_letters_have_no_return_addresses_a_report_is_a_doubt_and_no_more(
    database: Database,
) -> None:
    letters = [await a_sent_letter(database) for _ in range(3)]
    for letter in letters:
        raw = to_everybody(sample("postfix_unknown_user", letter), letter)
        await intake.take(database, WITHOUT_TAGS, raw, PLAIN, NOW)

    assert ["failed"] * 3 == [await state(database, one) for one in letters]
    assert "soft" == await standing(database)


async def test_where_letters_have_no_return_addresses_a_complaint_is_the_offices_to_judge(
    database: Database,
) -> None:
    letter = await a_sent_letter(database)
    raw = to_everybody(sample("arf_complaint", letter), letter)
    taken = await intake.take(database, WITHOUT_TAGS, raw, PLAIN, NOW)

    [event] = await events(database)
    assert ("complaint", None) == (event["kind"], event["letter_id"])
    assert (None, None) == (taken.letter_id, await standing(database))


async def test_nobody_silences_the_office_by_a_complaint_or_by_a_letters_id(
    database: Database,
) -> None:
    letters = [await a_sent_letter(database) for _ in range(2)]
    await database.fetch("UPDATE letter SET recipient_id = NULL")
    complaint = sample("arf_complaint", letters[0])
    bounce = to_everybody(sample("postfix_unknown_user", letters[1]), letters[1])
    await intake.take(database, OPTIONS, complaint, address(letters[0]), NOW)
    await intake.take(database, WITHOUT_TAGS, bounce, PLAIN, NOW)
    before = await standing(database, ERIKA)
    for letter in letters:
        raw = sample("gmail_unknown_user", letter)
        await intake.take(database, OPTIONS, raw, address(letter), NOW)

    assert (None, "undeliverable") == (before, await standing(database, ERIKA))


@pytest.mark.parametrize(
    ("fields", "is_of_another"),
    [
        (_SENT_ON, True),
        (_SENT_ON + b"\nOriginal-Recipient: rfc822; privat@town.example", True),
        (_SENT_ON + b"\nOriginal-Recipient: rfc822; Erika@Town.example", False),
        (b"Final-Recipient: RFC822; <Erika@TOWN.example>", False),
        (b"Final-Recipient: local; erika", False),
    ],
)
async def test_what_a_reader_sends_on_to_a_dead_address_did_reach_the_reader(
    database: Database, fields: bytes, *, is_of_another: bool
) -> None:
    letters = [await a_sent_letter(database) for _ in range(2)]
    for letter in letters:
        raw = sample("exchange_recipient_not_found", letter).replace(
            b"Final-Recipient: rfc822;erika@town.example", fields
        )
        await intake.take(database, OPTIONS, raw, address(letter), NOW)

    wanted = ("sent", "soft") if is_of_another else ("failed", "undeliverable")
    assert wanted == (await state(database, letters[0]), await standing(database))


async def test_what_opens_something_is_kept_nowhere_of_a_report(database: Database) -> None:
    letter = await a_sent_letter(database)
    raw = sample("postfix_spam_policy", letter)
    options = replace(OPTIONS, strike=lambda words: words.replace("zen", "xxx"))
    await intake.take(database, options, raw, address(letter), NOW)

    [event] = await events(database)
    row = await builders.state_of(database, letter)
    assert "zen" in bounces.read(raw, OPTIONS.mail_domain, NOW.date()).diagnostic
    assert event["details"]["diagnostic"] == row["last_text"]
    assert "zen" not in row["last_text"]
