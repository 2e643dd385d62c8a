"""Answers of calendar programs: applied where they can be believed, kept where they cannot."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from service import replying, sifting
from service.auditing import Actor
from service.database import Database
from service.domain import retention
from service.domain.calendar_answers import Outcome
from service.domain.words import Answer, Way
from service.replying import Reply
from tests.calendars import replying_programs as programs
from tests.calendars.replying_programs import DIALECTS, bare, google, outlook, plain
from tests.invited import KEYS, Invited, a_meeting, a_person, invite, somebody_invited
from tests.service.heard import NOW, Hall

OURS = "mx.alliance.example.org; dmarc="
PLAIN = "termine@alliance.example.org"


@pytest.fixture
def hall(database: Database, tmp_path: Path) -> Hall:
    return Hall(database, tmp_path)


async def by_link(hall: Hall, invited: Invited, answer: Answer, **more: object) -> None:
    reply = replace(Reply(answer=answer, seen_revision=None), **more)  # type: ignore[arg-type]
    await replying.record_reply(hall.database, KEYS, invited.token, reply, hall.now)


async def change(hall: Hall, invited: Invited, **columns: object) -> None:
    names = ", ".join(f"{name} = ${number}" for number, name in enumerate(columns, 2))
    await hall.database.fetch(
        f"UPDATE meeting SET {names} WHERE id = $1", invited.meeting_id, *columns.values()
    )


@pytest.mark.parametrize("name", DIALECTS)
@pytest.mark.parametrize(
    ("partstat", "answer"),
    [("ACCEPTED", "in_person"), ("DECLINED", "declined"), ("TENTATIVE", "undecided")],
)
async def test_the_button_of_every_program_answers(
    hall: Hall, name: str, partstat: str, answer: str
) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    outcome = await hall.hear(invited, DIALECTS[name], partstat=partstat)

    row = await hall.stands(invited)
    history = await replying.list_answers(hall.database, invited.invitation_id)
    assert "applied" == outcome
    assert (answer, "calendar", NOW) == (row["answer"], row["answer_way"], row["answered_at"])
    assert [(answer, "calendar")] == [(one["answer"], one["way"]) for one in history]
    assert [] == await hall.letters()


async def test_reply_google_fixture(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited)
    elsewhere = replace(said, to=PLAIN, message_id="2@x")
    forged = replace(elsewhere, partstat="DECLINED", message_id="3@x", stamp="20270105T090001Z")
    outcomes = []
    for raw, recipient in (
        (google(said), said.to),
        (google(replace(elsewhere, stamp="20270105T090001Z", partstat="TENTATIVE"),
            dmarc=f"{OURS}pass header.from=google.com"), PLAIN),
        (google(forged, dmarc=f"{OURS}fail header.from=google.com"), PLAIN),
    ):  # fmt: skip
        await hall.take(raw, recipient)
        outcomes.append(await hall.last())

    trusts = await hall.database.fetch("SELECT trust FROM calendar_answer ORDER BY id")
    assert ["applied", "applied", "unconfirmed"] == outcomes
    assert [1, 3, 4] == [row["trust"] for row in trusts]
    assert "undecided" == (await hall.stands(invited))["answer"]


async def test_reply_outlook_fixture(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    outcome = await hall.hear(invited, outlook)

    assert ("applied", "") == (outcome, (await hall.stands(invited))["note"])


@pytest.mark.parametrize("name", ["apple", "thunderbird", "kmail"])
async def test_reply_apple_thunderbird_korganizer_fixtures(hall: Hall, name: str) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    outcome = await hall.hear(invited, DIALECTS[name], comment="Komme später")

    assert ("applied", "Komme später") == (outcome, (await hall.stands(invited))["note"])


async def test_without_the_address_a_proved_sender_is_believed(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = replace(await hall.about(invited), to=PLAIN)
    proof = f"Authentication-Results: {OURS}pass header.from=partner.example.org\r\n"
    await hall.take(proof.encode() + outlook(said), PLAIN)

    assert "applied" == await hall.last()
    assert 2 == await hall.database.fetchval("SELECT trust FROM calendar_answer")


async def test_reply_spoofed_from_without_token(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = replace(await hall.about(invited), to=PLAIN)
    for number in range(3):
        await hall.take(outlook(replace(said, message_id=f"{number}@x")), PLAIN)

    [letter] = await hall.database.fetch("SELECT * FROM letter")
    assert None is (await hall.stands(invited))["answer"]
    assert ("answer_differs", invited.person_id) == (letter["kind"], letter["recipient_id"])
    assert 3 == await sifting.count_open(hall.database)


async def test_reply_token_of_alice_attendee_bob(hall: Hall) -> None:
    alice = await somebody_invited(hall.database)
    bob = await invite(hall.database, alice.meeting_id, await a_person(hall.database, "Bob Baum"))
    await by_link(hall, alice, Answer.DECLINED)
    before = await hall.stands(alice)
    outcome = await hall.hear(alice, attendee="bob@partner.example.org")

    [waiting] = await sifting.list_open(hall.database)
    assert "somebody_else" == outcome
    assert before == await hall.stands(alice)
    assert None is (await hall.stands(bob))["answer"]
    assert "bob@partner.example.org" == waiting.attendee


async def test_party_crasher_never_auto_added(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    stranger = replace(await hall.about(invited), to=PLAIN, attendee="eve@x.example")
    await hall.take(outlook(stranger), PLAIN)

    assert "somebody_else" == await hall.last()
    assert 1 == await hall.database.fetchval("SELECT count(*) FROM invitation")


async def test_a_forged_or_foreign_address_names_nobody(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    address = hall.address(invited)
    forged = address.replace("@", "a@") if "a@" not in address else address.replace("@", "b@")
    said = replace(await hall.about(invited), to=forged)
    await hall.take(outlook(said), forged)

    assert "unconfirmed" == await hall.last()


async def test_capital_letters_in_the_address_change_nothing(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited)
    await hall.take(outlook(said), said.to.upper())

    assert "applied" == await hall.last()


async def test_where_the_envelope_is_lost_the_head_names_the_address(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    await hall.take(google(await hall.about(invited)), None)

    assert "applied" == await hall.last()


@pytest.mark.parametrize("stamp", ["20270105T085959Z", "20270105T090000Z"])
async def test_reply_older_dtstamp_same_seq_ignored(hall: Hall, stamp: str) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    await hall.hear(invited, partstat="ACCEPTED", stamp="20270105T090000Z")
    older = await hall.hear(invited, partstat="DECLINED", stamp=stamp, message_id="2@x")

    assert ("stale", "in_person") == (older, (await hall.stands(invited))["answer"])


async def test_reply_duplicate_message_idempotent(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited)
    raw = google(said)
    for again in (raw, raw, b"Received: by another way\r\n" + raw):
        await hall.take(again, said.to)

    history = await replying.list_answers(hall.database, invited.invitation_id)
    assert (1, 1) == (
        len(history),
        await hall.database.fetchval("SELECT count(*) FROM calendar_answer"),
    )


async def test_the_same_answer_at_once_on_two_connections_counts_once(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited)
    raw = google(said)
    await asyncio.gather(*(hall.take(b"X-N: %d\r\n" % n + raw, said.to) for n in range(4)))

    history = await replying.list_answers(hall.database, invited.invitation_id)
    assert 1 == len(history)


async def test_reply_before_later_web_click_ignored(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    hall.now = NOW + timedelta(minutes=3)
    await by_link(hall, invited, Answer.DECLINED)
    outcome = await hall.hear(invited, partstat="ACCEPTED")

    assert ("stale", "declined") == (outcome, (await hall.stands(invited))["answer"])


async def test_an_answer_by_calendar_after_a_click_counts(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    hall.now = NOW - timedelta(minutes=3)
    await by_link(hall, invited, Answer.DECLINED, note="Urlaub", access_needs="Rampe")
    hall.now = NOW
    outcome = await hall.hear(invited, partstat="ACCEPTED")

    row = await hall.stands(invited)
    assert ("applied", "in_person") == (outcome, row["answer"])
    assert ("Urlaub", "Rampe") == (row["note"], row["access_needs"])


async def test_reply_old_sequence_before_reschedule(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited)
    await change(hall, invited, sequence=1)
    await hall.database.fetch("UPDATE invitation SET reset_sequence = 1, channel = 'request'")
    await hall.take(outlook(said), said.to)
    outcome = await hall.last()
    actions = await hall.database.fetch("SELECT action FROM audit ORDER BY id")

    assert ("old_date", None) == (outcome, (await hall.stands(invited))["answer"])
    assert [("answer_differs", "old_date")] == await hall.letters()
    assert ["answered_old_date"] == [row["action"] for row in actions]


async def test_an_answer_while_the_question_anew_is_waiting_is_for_the_old_date(
    hall: Hall,
) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited)
    await change(hall, invited, sequence=1)
    await hall.database.fetch(
        "INSERT INTO notice (meeting_id, kind, due_at, from_revision, to_revision, asks_again)"
        " VALUES ($1, 'change', now(), 1, 2, true)",
        invited.meeting_id,
    )
    await hall.take(outlook(said), said.to)

    assert "old_date" == await hall.last()


async def test_reply_old_sequence_but_only_confirmed_since_applied(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited)
    await change(hall, invited, sequence=2)
    await hall.take(outlook(said), said.to)

    assert "applied" == await hall.last()


async def test_reply_sequence_2147483647_and_dtstamp_2099_clamped(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    await hall.hear(invited, sequence=2_147_483_647, stamp="20990101T000000Z")
    hall.now = NOW + timedelta(minutes=10)
    later = await hall.hear(
        invited, partstat="DECLINED", stamp="20270105T091000Z", message_id="2@x"
    )

    assert ("applied", "declined") == (later, (await hall.stands(invited))["answer"])


@pytest.mark.parametrize("state", ["cancelled", "held", "over"])
async def test_reply_after_cancel_or_end_history_only(hall: Hall, state: str) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    if state == "over":
        hall.now = NOW + timedelta(days=17)
    else:
        await change(hall, invited, state=state)
    outcome = await hall.hear(invited, stamp="20270122T120000Z")

    actions = await hall.database.fetch("SELECT action FROM audit")
    assert ("closed", None) == (outcome, (await hall.stands(invited))["answer"])
    assert (["answered_closed"], []) == (
        [row["action"] for row in actions],
        await hall.letters(),
    )


async def test_reply_unknown_uid_or_recurrence_id_quarantined(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    unknown = await hall.hear(invited, outlook, uid=programs.UID)
    no_uid = await hall.hear(invited, outlook, uid="x@outlook", message_id="2@x")
    said = replace(await hall.about(invited), message_id="3@x")
    recurring = bare(plain(said, "RECURRENCE-ID:20270121T090000Z"))
    await hall.take(recurring, said.to)
    nowhere = replace(said, uid=programs.UID, to=PLAIN, message_id="4@x")
    await hall.take(outlook(nowhere), PLAIN)

    assert ("unknown_entry", "unknown_entry") == (unknown, no_uid)
    assert ["unknown_entry", "odd", "unknown_entry", "unknown_entry"] == [
        one.outcome.value for one in await sifting.list_open(hall.database)
    ]
    assert None is (await hall.stands(invited))["answer"]


async def test_reply_multiple_attendees_picks_invitee_and_leaves_the_others(hall: Hall) -> None:
    alice = await somebody_invited(hall.database, mode="on_site")
    bob = await invite(hall.database, alice.meeting_id, await a_person(hall.database, "Bob Baum"))
    said = await hall.about(alice, partstat="TENTATIVE")
    other = "ATTENDEE;PARTSTAT=DECLINED:mailto:bob@partner.example.org"
    first = plain(said).replace("ATTENDEE;", f"{other}\r\nATTENDEE;", 1)
    await hall.take(bare(first), said.to)

    answers = [(await hall.stands(one))["answer"] for one in (alice, bob)]
    assert ("applied", ["undecided", None]) == (await hall.last(), answers)


async def test_an_answer_without_attendee_waits_with_its_invitation(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    said = await hall.about(invited)
    await hall.take(bare(programs.calendar(f"UID:{said.uid}")), said.to)

    [waiting] = await sifting.list_open(hall.database)
    assert (Outcome.ODD, "no_attendee") == (waiting.outcome, waiting.details["oddity"])


async def test_a_former_address_is_still_the_person_s(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    await hall.database.fetch(
        "INSERT INTO former_address (person_id, email_normal) VALUES ($1, 'alt@stadt.example')",
        invited.person_id,
    )

    assert "applied" == await hall.hear(invited, attendee="Alt@stadt.example")


async def test_two_people_behind_one_address_are_not_guessed_apart(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    twin = await a_person(hall.database, "Mira Zweit")
    await invite(hall.database, invited.meeting_id, twin)
    said = replace(await hall.about(invited), to=PLAIN)
    proof = f"Authentication-Results: {OURS}pass header.from=partner.example.org\r\n"
    await hall.take(proof.encode() + outlook(said), PLAIN)

    assert ("unconfirmed", []) == (await hall.last(), await hall.letters())


SECRETARY = "buero@partner.example.org"
PROVED = f"Authentication-Results: {OURS}pass header.from=partner.example.org\r\n".encode()


async def served(hall: Hall) -> Invited:
    """Return somebody whose secretariat gets copies of their letters."""
    invited = await somebody_invited(hall.database, mode="on_site")
    await hall.database.fetch("UPDATE person SET copy_email = 'Buero@Partner.example.org'")
    return invited


@pytest.mark.parametrize("name", DIALECTS)
async def test_sent_by_assistant_recorded(hall: Hall, name: str) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    address = "jemand@anderswo.example"
    outcome = await hall.hear(invited, DIALECTS[name], sent_by=address, from_own=True)

    [kept] = await hall.database.fetch("SELECT trust, sent_by FROM calendar_answer")
    history = await replying.list_answers(hall.database, invited.invitation_id)
    assert ("applied", (1, address)) == (outcome, tuple(kept))
    assert [("in_person", address)] == [(one["answer"], one["answered_for"]) for one in history]


@pytest.mark.parametrize("from_own", [True, False])
@pytest.mark.parametrize("name", ["outlook", "apple", "thunderbird", "kmail"])
async def test_without_the_address_a_secretariat_that_we_know_is_believed(
    hall: Hall, name: str, *, from_own: bool
) -> None:
    invited = await served(hall)
    said = await hall.about(invited, to=PLAIN, sent_by=SECRETARY, from_own=from_own)
    await hall.take(PROVED + DIALECTS[name](said), PLAIN)

    row = await hall.stands(invited)
    assert ("applied", "in_person", SECRETARY) == (
        await hall.last(), row["answer"], row["answered_for"]
    )  # fmt: skip
    assert 2 == await hall.database.fetchval("SELECT trust FROM calendar_answer")


async def test_the_deputy_of_one_session_is_believed_for_that_one_alone(hall: Hall) -> None:
    first = await somebody_invited(hall.database, mode="on_site")
    second = await invite(
        hall.database, await a_meeting(hall.database, mode="on_site"), first.person_id
    )
    await hall.database.fetch(
        "UPDATE invitation SET deputy_email = $2 WHERE id = $1", first.invitation_id, SECRETARY
    )
    outcomes = []
    for number, one in enumerate((first, second)):
        said = await hall.about(one, to=PLAIN, sent_by=SECRETARY, from_own=True)
        raw = outlook(replace(said, message_id=f"{number}@x"))
        await hall.take(PROVED + raw, PLAIN)
        outcomes.append(await hall.last())

    assert ["applied", "unconfirmed"] == outcomes


@pytest.mark.parametrize(
    ("what", "proof"),
    [
        # Nobody whom we know, from their own address or from that of the person.
        ({"sent_by": "c@partner.example.org", "from_own": True}, PROVED),
        ({"sent_by": "c@partner.example.org"}, PROVED),
        # The secretariat, but nothing proves that it is.
        ({"sent_by": SECRETARY, "from_own": True}, b""),
        # The secretariat writes, and names somebody else, or nobody, as the one who answers.
        ({"attendee": SECRETARY}, PROVED),
    ],
)
async def test_sent_by_assistant_recorded_but_not_believed_where_unregistered(
    hall: Hall, what: dict[str, str], proof: bytes
) -> None:
    invited = await served(hall)
    said = replace(await hall.about(invited, to=PLAIN), **what)  # type: ignore[arg-type]
    await hall.take(proof + outlook(said), PLAIN)

    [waiting] = await sifting.list_open(hall.database)
    assert (None, what.get("sent_by", "")) == (
        (await hall.stands(invited))["answer"],
        waiting.sent_by,
    )
    assert 4 == waiting.trust
    # Only the person is asked to confirm, never whoever wrote.
    to = await hall.database.fetch("SELECT kind, recipient_id FROM letter")
    known = [("answer_differs", invited.person_id)] if "sent_by" in what else []
    assert known == [tuple(row) for row in to]


async def test_a_program_that_names_the_person_again_has_no_assistant(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = await hall.about(invited, to=PLAIN, sent_by="Mira@partner.example.org", from_own=True)
    await hall.take(PROVED + outlook(said), PLAIN)

    assert ("applied", "") == (await hall.last(), (await hall.stands(invited))["answered_for"])


async def test_refresh_resends_to_stored_address_only(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    said = await hall.about(invited)
    ics = plain(said, method="REFRESH")
    for number in range(3):
        raw = bare(ics, kind="text/calendar; method=REFRESH")
        await hall.take(raw.replace(b"b@partner", b"%d@evil" % number), said.to)

    [letter] = await hall.database.fetch("SELECT kind, recipient_id FROM letter")
    assert ("invitation", invited.person_id) == tuple(letter.values())
    assert "refresh" == await hall.last()


@pytest.mark.parametrize(("proof", "letters"), [(b"", []), (PROVED, [("invitation", "")])])
async def test_refresh_resends_nothing_for_a_stranger(
    hall: Hall, proof: bytes, letters: list[tuple[str, str]]
) -> None:
    invited = await somebody_invited(hall.database)
    ics = plain(await hall.about(invited, to=PLAIN), method="REFRESH")
    raw = bare(ics, kind="text/calendar; method=REFRESH")
    await hall.take(proof + raw, PLAIN)

    assert "refresh" == await hall.last()
    assert letters == await hall.letters()
    assert [] == await sifting.list_open(hall.database)


async def test_counter_stored_not_applied_but_its_answer_is(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = replace(await hall.about(invited), partstat="TENTATIVE")
    ics = plain(said, "DTSTART:20270122T090000Z", "LOCATION:Rathaus", method="COUNTER")
    await hall.take(bare(ics, kind="text/calendar; method=COUNTER"), said.to)

    [waiting] = await sifting.list_open(hall.database)
    assert ("counter", "20270122T090000Z") == (waiting.outcome, waiting.details["starts"])
    assert "undecided" == (await hall.stands(invited))["answer"]
    assert 0 == await hall.database.fetchval("SELECT sequence FROM meeting")


@pytest.mark.parametrize(("sequence", "is_old"), [(0, True), (1, False)])
async def test_counter_stored_not_applied_and_flagged_when_stale(
    hall: Hall, sequence: int, *, is_old: bool
) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    await change(hall, invited, sequence=1)
    said = await hall.about(invited, sequence=sequence, partstat="TENTATIVE")
    ics = plain(said, "DTSTART:20270122T090000Z", method="COUNTER")
    await hall.take(bare(ics, kind="text/calendar; method=COUNTER"), said.to)

    [waiting] = await sifting.list_open(hall.database)
    assert is_old is ("old_version" in waiting.details)


async def test_delegated_reply_is_shown_and_changes_nothing(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    said = replace(await hall.about(invited), partstat="DELEGATED")
    ics = plain(said).replace("PARTSTAT", 'DELEGATED-TO="mailto:bea@x.example";PARTSTAT')
    await hall.take(bare(ics), said.to)

    [waiting] = await sifting.list_open(hall.database)
    assert ("delegation", "bea@x.example") == (waiting.outcome, waiting.details["delegated_to"])
    assert None is (await hall.stands(invited))["answer"]


async def test_a_button_for_a_hybrid_meeting_is_a_guess_and_says_so(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    outcome = await hall.hear(invited)

    assert ("applied", "in_person") == (outcome, (await hall.stands(invited))["answer"])
    assert [("answer_differs", "hybrid")] == await hall.letters()


async def test_a_yes_again_leaves_the_way_as_it_stands(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    hall.now = NOW - timedelta(minutes=9)
    await by_link(hall, invited, Answer.ONLINE)
    hall.now = NOW
    outcome = await hall.hear(invited)

    assert ("same", "online") == (outcome, (await hall.stands(invited))["answer"])
    assert [("receipt", "")] == await hall.letters()


async def test_the_setting_says_what_a_yes_means_for_hybrid_meetings(
    database: Database, tmp_path: Path
) -> None:
    hall = Hall(database, tmp_path, IMIP_HYBRID="online")
    invited = await somebody_invited(database)
    await hall.hear(invited)

    assert "online" == (await hall.stands(invited))["answer"]


@pytest.mark.parametrize(
    ("mode", "outcome", "answer", "because"),
    [("hybrid", "applied", "online", "hybrid"), ("on_site", "full", None, "full")],
)
async def test_without_a_free_seat_the_person_is_told(
    hall: Hall, mode: str, outcome: str, answer: str | None, because: str
) -> None:
    first = await somebody_invited(hall.database, mode=mode, capacity=1)
    second = await invite(
        hall.database, first.meeting_id, await a_person(hall.database, "Zoe Zweite")
    )
    await by_link(hall, first, Answer.IN_PERSON)
    await hall.database.fetch("DELETE FROM letter")
    found = await hall.hear(second)

    assert (outcome, answer) == (found, (await hall.stands(second))["answer"])
    assert [("answer_differs", because)] == await hall.letters()


async def test_a_late_answer_is_stored_and_the_person_is_told(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    hall.now = NOW + timedelta(days=10)
    outcome = await hall.hear(invited, stamp="20270115T090000Z")

    row = await hall.stands(invited)
    assert ("applied", True) == (outcome, row["is_late"])
    assert [("answer_differs", "late")] == await hall.letters()


async def test_words_without_an_answer_stay_words(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    raw = b"From: mira@partner.example.org\r\nSubject: AW\r\n\r\nIch komme gern.\r\n"
    taken = await hall.take(raw, hall.address(invited))

    assert "words" == taken.kind
    assert 0 == await hall.database.fetchval("SELECT count(*) FROM calendar_answer")


async def test_the_office_lets_an_answer_count_or_puts_it_away(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    said = replace(await hall.about(invited), to=PLAIN)
    for number, partstat in enumerate(("ACCEPTED", "DECLINED")):
        await hall.take(outlook(replace(said, partstat=partstat, message_id=f"{number}@x")), PLAIN)
    away, first = await sifting.list_open(hall.database)
    office = await hall.database.fetchval(
        "INSERT INTO account (email, email_normal, full_name, role) VALUES"
        " ('o@x.example', 'o@x.example', 'Olga', 'coordinator') RETURNING id"
    )
    actor = Actor("account", office)
    done = [
        await sifting.apply(hall.database, hall.settings, actor, first.id, NOW),
        await sifting.apply(hall.database, hall.settings, actor, first.id, NOW),
        await sifting.dismiss(hall.database, actor, away.id, NOW),
        await sifting.dismiss(hall.database, actor, away.id, NOW),
    ]

    row = await hall.stands(invited)
    assert [True, False, True, False] == done
    assert ("in_person", Way.CALENDAR, office) == (
        row["answer"],
        row["answer_way"],
        row["answered_by"],
    )
    assert 0 == await sifting.count_open(hall.database)


async def test_what_programs_answered_is_forgotten(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    await hall.hear(invited)
    async with hall.database.unit_of_work() as unit:
        counts = [
            await sifting.forget(unit.connection, NOW + age, 100)
            for age in (-retention.CALENDAR_ANSWERS.period, timedelta(seconds=1))
        ]

    assert [0, 1] == counts


async def test_reply_oversize_nested_20k_attendees_waits_and_changes_nothing(hall: Hall) -> None:
    invited = await somebody_invited(hall.database, mode="on_site")
    before = await hall.stands(invited)
    said = await hall.about(invited)
    for name, raw in programs.hostile(said).items():
        if name in programs.BEYOND_LIMITS:
            await hall.take(b"X-Name: %b\r\n" % name.encode() + raw, said.to)

    waiting = [one.outcome for one in await sifting.list_open(hall.database)]
    assert before == await hall.stands(invited)
    assert ["odd"] * len(waiting) == waiting
    assert len(programs.BEYOND_LIMITS) > len(waiting) > 1


async def test_nothing_of_a_hostile_mail_leaves_the_worker(hall: Hall) -> None:
    invited = await somebody_invited(hall.database)
    said = await hall.about(invited)
    hostile = [
        b"Content-Type: text/calendar; method=REPLY\r\n\r\n" + body
        for body in (b"", b"\x00", b"BEGIN:VCALENDAR", b"/etc/passwd", b"\xff" * 500)
    ]
    kinds = [(await hall.take(raw, said.to)).kind for raw in hostile]
    odd = bare(plain(replace(said, uid="\x00\udc80".encode("utf-8", "replace").decode())))
    await hall.take(odd, said.to)

    assert ["answer"] * 5 == kinds
    assert "unknown_entry" == await hall.last()


async def test_the_answer_of_somebody_who_was_uninvited_is_history(hall: Hall) -> None:
    meeting = await a_meeting(hall.database, mode="on_site")
    invited = await invite(hall.database, meeting, await a_person(hall.database))
    await hall.database.fetch("UPDATE invitation SET state = 'uninvited'")

    assert "closed" == await hall.hear(invited)
