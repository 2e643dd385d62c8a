"""Single invitations: codes for the telephone, links that end, links that are mailed again."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from notifications import outbox
from service import clock, inviting, noticing, replying, resending
from service.auditing import Actor
from service.calling import LENGTH, SIGNS
from service.database import Database
from service.domain.errors import (
    AnsweringClosedError,
    CodeWrongError,
    LinkReplacedError,
    NotFoundError,
    TooManyTriesError,
)
from service.domain.words import Answer
from service.replying import Reply
from service.tokens import Key, Keys
from tests.invited import (
    KEYS,
    NOW,
    Invited,
    a_meeting,
    a_person,
    invite,
    snapshot,
    somebody_invited,
)

LATER = NOW + timedelta(hours=1)
OFFICE = Actor("account", uuid4(), "Kim Koordination")


async def a_code(database: Database, invited: Invited) -> str:
    return await inviting.make_phone_code(database, KEYS, OFFICE, invited.invitation_id, NOW)


def wrong_beside(code: str, n: int = 0) -> str:
    """Return another code of the same meeting."""
    last = SIGNS[(SIGNS.index(code[-1]) + 1 + n) % len(SIGNS)]
    return code[:-1] + last


async def test_a_code_has_eight_signs_without_look_alikes(database: Database) -> None:
    invited = await somebody_invited(database)

    code = await a_code(database, invited)

    assert len(code.replace("-", "")) == LENGTH == 8
    assert set(code) <= set("BCDFGHJKMPQRTVWXY2346789-")


async def test_a_code_opens_the_own_link_once(database: Database) -> None:
    invited = await somebody_invited(database)
    code = await a_code(database, invited)

    opened = await inviting.use_phone_code(database, KEYS, code, NOW)

    assert opened.token == invited.token
    assert opened.locale == "de"
    with pytest.raises(CodeWrongError):
        await inviting.use_phone_code(database, KEYS, code, NOW)


@pytest.mark.parametrize("spoken", [str.lower, " ".join, lambda code: code.replace("-", " – ")])
async def test_a_code_may_be_typed_as_people_type(database: Database, spoken: object) -> None:
    invited = await somebody_invited(database)
    code = await a_code(database, invited)
    assert callable(spoken)

    opened = await inviting.use_phone_code(database, KEYS, spoken(code), NOW)

    assert opened.token == invited.token


async def test_of_two_who_type_a_code_at_once_one_gets_in(database: Database) -> None:
    invited = await somebody_invited(database)
    code = await a_code(database, invited)

    done = await asyncio.gather(
        *[inviting.use_phone_code(database, KEYS, code, NOW) for _ in range(4)],
        return_exceptions=True,
    )

    assert sum(isinstance(one, CodeWrongError) for one in done) == 3


async def test_a_code_ends_after_a_day(database: Database) -> None:
    invited = await somebody_invited(database)
    code = await a_code(database, invited)

    with pytest.raises(CodeWrongError):
        await inviting.use_phone_code(database, KEYS, code, NOW + timedelta(hours=24))


async def test_a_new_code_ends_the_former_one(database: Database) -> None:
    invited = await somebody_invited(database)
    former = await a_code(database, invited)
    newer = await a_code(database, invited)

    with pytest.raises(CodeWrongError):
        await inviting.use_phone_code(database, KEYS, former, NOW)

    assert (await inviting.use_phone_code(database, KEYS, newer, NOW)).token == invited.token


async def test_a_code_is_kept_as_a_keyed_hash_only(database: Database) -> None:
    invited = await somebody_invited(database)

    code = (await a_code(database, invited)).replace("-", "")

    assert code not in str(await snapshot(database))
    with pytest.raises(CodeWrongError):
        await inviting.use_phone_code(database, Keys([Key("x", b"x" * 32)]), code, NOW)


async def test_five_wrong_codes_close_all_codes_of_the_meeting_for_a_while(
    database: Database,
) -> None:
    invited = await somebody_invited(database)
    other = await invite(database, invited.meeting_id, await a_person(database, "Omar Oder"))
    code = await a_code(database, invited)
    others = await a_code(database, other)
    for n in range(5):
        with pytest.raises(CodeWrongError):
            await inviting.use_phone_code(database, KEYS, wrong_beside(code, n), NOW)

    with pytest.raises(TooManyTriesError) as caught:
        await inviting.use_phone_code(database, KEYS, others, NOW)

    assert NOW < caught.value.values["until"] <= NOW + timedelta(hours=1)
    later = NOW + timedelta(hours=1)
    assert (await inviting.use_phone_code(database, KEYS, others, later)).token == other.token


async def test_wrong_codes_of_one_meeting_leave_another_alone(database: Database) -> None:
    # Two meetings share the first two signs once in 576 times; these ids do not.
    codes = []
    for n in (1, 2):
        meeting = await a_meeting(database, id=f"00000000-0000-4000-8000-00000000000{n}")
        person = await a_person(database, f"Person{n} Muster")
        codes.append(await a_code(database, await invite(database, meeting, person)))
    for n in range(5):
        with pytest.raises(CodeWrongError):
            await inviting.use_phone_code(database, KEYS, wrong_beside(codes[0], n), NOW)

    opened = await inviting.use_phone_code(database, KEYS, codes[1], NOW)

    assert len(opened.token) == 52


async def test_right_codes_use_up_no_tries(database: Database) -> None:
    invited = await somebody_invited(database)

    for _ in range(8):
        code = await a_code(database, invited)
        opened = await inviting.use_phone_code(database, KEYS, code, NOW)

    assert opened.token == invited.token


@pytest.mark.parametrize(
    "typed", ["", "ABC", "0OIL-1SZ5", "x" * 5000, "BBBB-BBB\u0000", "ÄÖÜß-ÄÖÜß"]
)
async def test_what_cannot_be_a_code_is_refused_without_counting(
    database: Database, typed: str
) -> None:
    before = await snapshot(database)

    with pytest.raises(CodeWrongError):
        await inviting.use_phone_code(database, KEYS, typed, NOW)

    assert await snapshot(database) == before


async def test_no_code_is_made_for_who_is_not_invited(database: Database) -> None:
    invited = await somebody_invited(database)
    await database.fetch("UPDATE invitation SET state = 'uninvited'")

    with pytest.raises(AnsweringClosedError):
        await a_code(database, invited)
    with pytest.raises(NotFoundError):
        await inviting.make_phone_code(database, KEYS, OFFICE, uuid4(), NOW)


async def test_a_renewed_link_ends_the_one_before(database: Database) -> None:
    invited = await somebody_invited(database)

    await inviting.renew_link(database, OFFICE, invited.invitation_id, NOW)

    with pytest.raises(LinkReplacedError):
        await replying.find_invitation(database, KEYS, invited.token, NOW)
    assert await database.fetchval("SELECT action FROM audit") == "renewed_link"


async def test_an_unknown_invitation_has_no_link_to_renew(database: Database) -> None:
    with pytest.raises(NotFoundError):
        await inviting.renew_link(database, OFFICE, uuid4(), NOW)


async def test_lost_links_go_to_the_registered_address(database: Database) -> None:
    invited = await somebody_invited(database)

    await resending.mail_links(database, " Mira@Partner.example.org ", NOW)

    row = await database.fetchrow("SELECT * FROM letter JOIN outbox USING (id)")
    assert row is not None
    assert (row["kind"], row["recipient_id"]) == ("lost_links", invited.person_id)
    assert row["cause"] == {"persons": [str(invited.person_id)]}
    assert row["recipient_domain"] == "partner.example.org"


async def test_an_address_that_nobody_has_gets_nothing(database: Database) -> None:
    await somebody_invited(database)
    before = await snapshot(database)

    await resending.mail_links(database, "fremd@partner.example.org", NOW)

    assert await snapshot(database) == before


async def test_a_shared_mailbox_gets_one_letter_for_both(database: Database) -> None:
    for name in ("Anna Amt", "Mira Muster"):
        await a_person(
            database, name, email="post@amt.example.org", email_normal="post@amt.example.org"
        )

    await resending.mail_links(database, "post@amt.example.org", NOW)

    causes = [row["cause"] for row in await database.fetch("SELECT cause FROM letter")]
    assert [len(cause["persons"]) for cause in causes] == [2]


async def let_pass(database: Database, minutes: int) -> None:
    """Age the letters: the database stamps them with its own clock."""
    await database.fetch(
        "UPDATE letter SET dedupe_key = id::text, created_at = created_at - $1::interval",
        timedelta(minutes=minutes),
    )


async def test_a_hundred_requests_are_two_letters_an_hour_and_five_a_day(
    database: Database,
) -> None:
    await somebody_invited(database)
    now = clock.now()
    letters = []

    for _ in range(100):
        await resending.mail_links(database, "mira@partner.example.org", now)
        letters.append(await database.fetchval("SELECT count(*) FROM letter"))
        await let_pass(database, minutes=14)

    # Every 14 minutes for 23 hours: the third request comes within the hour of the first.
    assert letters[:6] == [1, 2, 2, 2, 2, 3]
    assert letters[99] == 5


async def test_requests_in_the_same_moment_are_one_letter(database: Database) -> None:
    await somebody_invited(database)

    await asyncio.gather(
        *[resending.mail_links(database, "mira@partner.example.org", NOW) for _ in range(8)]
    )

    assert await database.fetchval("SELECT count(*) FROM letter") == 1


async def test_the_button_of_the_answer_page_mails_to_its_person(database: Database) -> None:
    invited = await somebody_invited(database)

    await resending.mail_links_to(database, invited.person_id, NOW)

    assert await database.fetchval("SELECT recipient_id FROM letter") == invited.person_id


async def pending(database: Database) -> list[tuple[str, list[UUID]]]:
    rows = await database.fetch(
        "SELECT kind, person_ids FROM notice WHERE state = 'pending' ORDER BY created_at, kind"
    )
    return [(row["kind"], row["person_ids"]) for row in rows]


async def test_who_is_uninvited_frees_the_seat_and_is_told_after_the_countdown(
    database: Database,
) -> None:
    invited = await somebody_invited(database, capacity=1)
    other = await invite(database, invited.meeting_id, await a_person(database, "Omar Oder"))
    yes = Reply(answer=Answer.IN_PERSON)
    await replying.record_reply(database, KEYS, invited.token, yes, NOW)

    notice = await inviting.uninvite(database, OFFICE, invited.invitation_id, NOW)

    assert notice is not None
    assert await pending(database) == [("uninvited", [invited.person_id])]
    assert (await replying.record_reply(database, KEYS, other.token, yes, NOW)).is_new is True
    with pytest.raises(AnsweringClosedError):
        await replying.record_reply(database, KEYS, invited.token, yes, NOW)


async def test_letters_that_wait_do_not_reach_who_is_uninvited(database: Database) -> None:
    invited = await somebody_invited(database)
    async with database.unit_of_work() as unit:
        for kind in ("reminder", "invitation"):
            await outbox.post(
                unit.connection,
                outbox.NewLetter(
                    dedupe_key=kind,
                    kind=kind,
                    recipient_id=invited.person_id,
                    subject_id=invited.meeting_id,
                    ordering_key="k",
                    not_before=NOW,
                    expires_at=NOW,
                ),
            )

    await inviting.uninvite(database, OFFICE, invited.invitation_id, NOW)

    states = await database.fetch("SELECT state, reason FROM outbox")
    assert [tuple(row) for row in states] == [("cancelled", "uninvited")] * 2


async def test_who_was_never_told_is_taken_off_without_a_letter(database: Database) -> None:
    invited = await somebody_invited(database)
    await database.fetch("UPDATE invitation SET state = 'planned'")

    assert await inviting.uninvite(database, OFFICE, invited.invitation_id, NOW) is None
    assert await pending(database) == []


async def test_uninviting_twice_tells_once(database: Database) -> None:
    invited = await somebody_invited(database, capacity=1)
    await inviting.uninvite(database, OFFICE, invited.invitation_id, NOW)

    again = await inviting.uninvite(database, OFFICE, invited.invitation_id, NOW)

    assert again is None
    assert len(await pending(database)) == 1


async def test_one_more_person_is_invited_after_the_countdown(database: Database) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)

    invitation = await inviting.invite_one_more(database, OFFICE, meeting, person, NOW)

    row = await database.fetchrow("SELECT id, state, person_id FROM invitation")
    assert row is not None
    assert tuple(row) == (invitation, "planned", person)
    assert await pending(database) == [("invitation", [person])]


async def test_a_provisional_meeting_mails_nobody_yet(database: Database) -> None:
    meeting = await a_meeting(database, state="tentative")
    person = await a_person(database)

    await inviting.invite_one_more(database, OFFICE, meeting, person, NOW)

    assert await database.fetchval("SELECT state FROM invitation") == "planned"
    assert await pending(database) == []


async def test_inviting_somebody_who_is_invited_changes_nothing(database: Database) -> None:
    invited = await somebody_invited(database)
    before = await snapshot(database)

    known = await inviting.invite_one_more(
        database, OFFICE, invited.meeting_id, invited.person_id, NOW
    )

    assert known == invited.invitation_id
    assert await snapshot(database) == before


async def test_who_is_invited_again_is_asked_afresh_by_the_same_link(database: Database) -> None:
    invited = await somebody_invited(database)
    no = Reply(answer=Answer.DECLINED, note="Keine Zeit")
    await replying.record_reply(database, KEYS, invited.token, no, NOW)
    await inviting.uninvite(database, OFFICE, invited.invitation_id, NOW)
    await noticing.queue_due(database, LATER)

    await inviting.invite_one_more(database, OFFICE, invited.meeting_id, invited.person_id, LATER)

    view = await replying.find_invitation(database, KEYS, invited.token, NOW)
    assert (view.id, view.answer, view.row["note"]) == (invited.invitation_id, None, "")
    assert len(await replying.list_answers(database, invited.invitation_id)) == 1


async def test_nobody_unknown_is_invited_and_nobody_to_what_is_over(database: Database) -> None:
    meeting = await a_meeting(database)
    over = await a_meeting(database, state="cancelled")
    person = await a_person(database)

    with pytest.raises(NotFoundError):
        await inviting.invite_one_more(database, OFFICE, meeting, uuid4(), NOW)
    with pytest.raises(NotFoundError):
        await inviting.invite_one_more(database, OFFICE, uuid4(), person, NOW)
    with pytest.raises(AnsweringClosedError):
        await inviting.invite_one_more(database, OFFICE, over, person, NOW)


class _OwnGroupOnly:
    """A lead of some other group."""

    is_office = False

    def may_see_group(self, group_id: UUID) -> bool:
        return group_id == UUID(int=1)

    def may_change_group(self, group_id: UUID) -> bool:
        return group_id == UUID(int=1)


async def test_a_lead_of_another_group_finds_nothing_to_change(database: Database) -> None:
    invited = await somebody_invited(database)
    await database.fetch(
        "WITH g AS (INSERT INTO working_group (slug, heading, name, title_pattern)"
        " VALUES ('klima', 'groups', 'Klima', '{number}.') RETURNING id)"
        " INSERT INTO meeting_group (meeting_id, group_id) SELECT $1, id FROM g",
        invited.meeting_id,
    )
    before = await snapshot(database)
    lead, own = OFFICE, _OwnGroupOnly()
    invitation, meeting = invited.invitation_id, invited.meeting_id

    with pytest.raises(NotFoundError):
        await inviting.uninvite(database, lead, invitation, NOW, authority=own)
    with pytest.raises(NotFoundError):
        await inviting.renew_link(database, lead, invitation, NOW, authority=own)
    with pytest.raises(NotFoundError):
        await inviting.invite_one_more(
            database, lead, meeting, invited.person_id, NOW, authority=own
        )

    assert await snapshot(database) == before
