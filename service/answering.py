"""Answers of calendar programs: whom a mail speaks for, whether to believe it, what to make of it.

What is believed ends in the same use case as an answer by link. What is not is kept for the office
and changes nothing. Each step is total: whatever a stranger sends ends in a row, never in an error.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from asyncpg import Connection, Record

from calendars.answer import Attendance, CalendarAnswer, Method
from calendars.entry import Answer as Partstat
from notifications import outbox, storage, vouching
from notifications.intake import Heard
from notifications.outbox import NewLetter
from notifications.vouching import Sender
from service import auditing, believing, replying
from service.auditing import Actor
from service.believing import Speaker
from service.database import Database
from service.domain import calendar_answers as rules
from service.domain import replies
from service.domain.calendar_answers import NEEDS_LOOK, Outcome, Stamp, Standing, Trust
from service.domain.errors import (
    AnsweringClosedError,
    SeatsTakenError,
)
from service.domain.words import Answer, Mode, Way
from service.finding import InvitationView
from service.replying import Reply
from service.settings import Settings
from service.tables import calendar_answer_statements as statements
from service.tables.calendar_answer_statements import Kept
from service.tokens import Keys

LETTER_KIND = "answer_differs"
_LETTER_LIFE = timedelta(days=3)
_PERSON = Actor("person")

# Of two mails about one invitation that come at the same time, the second one has to see what the
# first left: what is stale shows by that.
_LOCK = f"{statements.FIND_BY_ID} FOR UPDATE OF i"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Result:
    """What became of an answer, and why a letter tells the person; "" for none."""

    outcome: Outcome
    because: str = ""


class Answers:
    """Hears what calendar programs answer, within the transaction that keeps the mail."""

    def __init__(self, database: Database, settings: Settings, keys: Keys) -> None:
        self._database = database
        self._settings = settings
        self._keys = keys

    async def hear(self, connection: "Connection[Any]", heard: Heard, now: datetime) -> Outcome:
        """Apply an answer once, or keep it for the office; the same mail again changes nothing.

        What the database raises of itself comes out: then the mail comes again.
        """
        sender = vouching.read(heard.raw, self._settings.imip_authserv)
        said = heard.answer
        if await connection.fetchval(statements.IS_KNOWN, sender.message_sha256, said.part_sha256):
            return Outcome.SAME
        speaker = Speaker()
        try:
            async with connection.transaction():
                speaker = await believing.find_speaker(
                    connection, self._settings, self._keys, said, heard.came_to, sender
                )
                outcome = await self._judge(connection, said, speaker, now)
        except Exception as error:
            if not storage.is_of_content(error):
                raise
            _log.warning("answer.not_understood", error=type(error).__name__)
            outcome = Outcome.ODD
        await connection.fetchval(statements.KEEP, *_kept(heard, sender, speaker, outcome, now))
        _log.info("answer.heard", outcome=outcome.value, trust=int(speaker.trust))
        return outcome

    async def _judge(
        self, connection: "Connection[Any]", said: CalendarAnswer, speaker: Speaker, now: datetime
    ) -> Outcome:
        row, person = speaker.row, speaker.person
        outcome = _without_effect(said, speaker)
        if outcome is Outcome.REFRESH and row is not None and speaker.trust is not Trust.NONE:
            # There is nothing to confirm either, so a stranger makes nobody get a letter.
            await _post_again(connection, row, now)
        elif outcome is Outcome.UNCONFIRMED and row is not None:
            await _post_letter(connection, row, "unconfirmed", f"{now:%Y%m%d}", now)
        if outcome is not None or row is None or person is None:
            return outcome or Outcome.ODD
        result = await self._apply(connection, said, row, person, now)
        if result.because:
            # One an hour: a program that answers by itself must not keep us writing.
            await _post_letter(connection, row, result.because, f"{now:%Y%m%d%H}", now)
        return Outcome.COUNTER if said.method is Method.COUNTER else result.outcome

    async def _apply(
        self,
        connection: "Connection[Any]",
        said: CalendarAnswer,
        row: Record,
        person: Attendance,
        now: datetime,
    ) -> _Result:
        row = await connection.fetchrow(_LOCK, row["id"]) or row
        stamp = rules.clamp(said.sequence, said.stamped_at, row["sequence"], now)
        if rules.is_stale(stamp, _standing(row)):
            return _Result(Outcome.STALE)
        await connection.execute(statements.NOTE_STAMP, row["id"], stamp.sequence, stamp.made_at)
        if _is_for_old_date(stamp, row):
            await _note(connection, "answered_old_date", row["id"], person)
            return _Result(Outcome.OLD_DATE, "old_date")
        view = await replying.load_invitation(self._database, row["id"], now)
        answer = meant(self._settings, view, person.answer)
        if answer is None:
            return _Result(Outcome.NO_ANSWER)
        reply = reply_of(view, answer, said.comment, person.sent_by)
        if view.holds and view.answer is answer and reply.note == view.row["note"]:
            return _Result(Outcome.SAME)
        return await self._record(connection, view, reply, person, now)

    async def _record(
        self,
        connection: "Connection[Any]",
        view: InvitationView,
        reply: Reply,
        person: Attendance,
        now: datetime,
    ) -> _Result:
        try:
            await self._store(connection, view, reply, now)
        except SeatsTakenError:
            return _Result(Outcome.FULL, "full")
        except AnsweringClosedError:
            await _note(connection, "answered_closed", view.id, person)
            return _Result(Outcome.CLOSED)
        return _Result(Outcome.APPLIED, _differs(view, reply, person, now))

    async def _store(
        self, connection: "Connection[Any]", view: InvitationView, reply: Reply, now: datetime
    ) -> None:
        """Store the answer; who lost the last seat of a hybrid meeting takes part online."""
        try:
            async with connection.transaction():
                await replying.record_heard(self._database, _PERSON, view.id, reply, now)
        except SeatsTakenError:
            if view.meeting.mode is not Mode.HYBRID:
                raise
            online = replace(reply, answer=Answer.ONLINE)
            await replying.record_heard(self._database, _PERSON, view.id, online, now)


def meant(settings: Settings, view: InvitationView, partstat: str) -> Answer | None:
    """Return what a button says for this invitation as it stands; None where it says nothing."""
    has_room = view.row["has_seat"] or 0 not in {view.seats_left, view.partner_seats_left}
    return rules.meant(
        partstat,
        view.meeting.mode,
        view.answer if view.holds else None,
        has_room=has_room,
        hybrid=Answer(settings.imip_hybrid),
    )


def reply_of(view: InvitationView, answer: Answer, comment: str, sent_by: str) -> Reply:
    """Say what the button says, and keep everything that no button can say."""
    return Reply(
        answer=answer,
        note=comment[: replies.NOTE_LENGTH] or view.row["note"],
        access_needs=view.row["access_needs"],
        list_consent=view.row["list_consent"],
        answered_for=sent_by[: replies.NAME_LENGTH],
    )


def _without_effect(said: CalendarAnswer, speaker: Speaker) -> Outcome | None:
    """Return what becomes of an answer that is not applied; None for one that may be."""
    if said.oddity is not None:
        return Outcome.ODD
    if speaker.outcome is not None or speaker.person is None:
        return speaker.outcome or Outcome.UNKNOWN_ENTRY
    if said.method is Method.REFRESH:
        return Outcome.REFRESH
    if speaker.trust is Trust.NONE:
        return Outcome.UNCONFIRMED
    if said.failed:
        return Outcome.FAILED
    return Outcome.DELEGATION if speaker.person.answer is Partstat.DELEGATED else None


def _kept(heard: Heard, sender: Sender, speaker: Speaker, outcome: Outcome, now: datetime) -> Kept:
    said, row = heard.answer, speaker.row
    person = speaker.person or next(iter(said.people), None)
    return Kept(
        message_sha256=sender.message_sha256,
        part_sha256=said.part_sha256,
        event_id=heard.event_id,
        received_at=now,
        outcome=outcome.value,
        needs_look=outcome in NEEDS_LOOK,
        trust=int(speaker.trust),
        method=said.method or "",
        meeting_id=row["meeting_id"] if row else speaker.meeting_id,
        invitation_id=row["id"] if row else None,
        attendee=next(iter(person.addresses), "") if person else "",
        attendee_name=person.name if person else "",
        sender=sender.address,
        sent_by=person.sent_by if person else "",
        partstat=person.answer.value if person else "",
        sequence=said.sequence,
        stamped_at=said.stamped_at,
        comment=said.comment,
        details=_details(said, row, person),
    )


def _standing(row: Record) -> Standing:
    stamped_at, way = row["reply_stamped_at"], row["answer_way"]
    return Standing(
        last=None if stamped_at is None else Stamp(row["reply_sequence"], stamped_at),
        clicked_at=None if way in {None, Way.CALENDAR} else row["answered_at"],
    )


def _is_for_old_date(stamp: Stamp, row: Record) -> bool:
    """Tell whether the question has been asked anew since, or is about to be."""
    is_asked_soon = row["asks_again_soon"] and stamp.sequence < row["sequence"]
    return bool(is_asked_soon or stamp.sequence < row["reset_sequence"])


def _differs(view: InvitationView, reply: Reply, person: Attendance, now: datetime) -> str:
    """Return why the person should know more than the button showed; "" where it says it all."""
    is_guess = (
        person.answer is Partstat.ACCEPTED
        and view.meeting.mode is Mode.HYBRID
        and not (view.holds and view.answer is reply.answer)
    )
    if is_guess:
        return "hybrid"
    return "late" if replies.is_late(view.meeting, now) else ""


def _details(said: CalendarAnswer, row: Record | None, person: Attendance | None) -> dict[str, str]:
    proposal = said.proposal
    found = {
        "oddity": said.oddity.value if said.oddity else "",
        "delegated_to": person.delegated_to if person else "",
        "starts": proposal.starts if proposal else "",
        "ends": proposal.ends if proposal else "",
        "zone": proposal.zone if proposal else "",
        "location": proposal.location if proposal else "",
        "old_version": "yes" if proposal and row and said.sequence != row["sequence"] else "",
    }
    return {name: value for name, value in found.items() if value}


async def _note(
    connection: "Connection[Any]", action: str, invitation_id: UUID, person: Attendance
) -> None:
    """Leave what somebody answered in the history, where it does not count."""
    await auditing.record(
        connection, _PERSON, action, "invitation", invitation_id, answer=person.answer.value
    )


async def _post_again(connection: "Connection[Any]", row: Record, now: datetime) -> None:
    """Send the entry as it is now to the address that we hold, once an hour at most."""
    await _post(connection, row, "invitation", f"ref:{row['id']}:{now:%Y%m%d%H}", {}, now)


async def _post_letter(
    connection: "Connection[Any]", row: Record, because: str, key: str, now: datetime
) -> None:
    dedupe_key = f"dif:{row['id']}:{because}:{key}"
    await _post(connection, row, LETTER_KIND, dedupe_key, {"because": because}, now)


async def _post(  # noqa: PLR0917 - what a letter needs
    connection: "Connection[Any]",
    row: Record,
    kind: str,
    dedupe_key: str,
    cause: dict[str, str],
    now: datetime,
) -> None:
    if row["email"] is None:
        return
    letter = NewLetter(
        dedupe_key=dedupe_key,
        kind=kind,
        recipient_id=row["person_id"],
        subject_id=row["meeting_id"],
        ordering_key=f"{row['person_id']}:{row['meeting_id']}",
        not_before=now,
        expires_at=now + _LETTER_LIFE,
        locale=row["locale"],
        cause={"invitation": str(row["id"]), **cause},
        priority=3,
        recipient_domain=row["email"].rpartition("@")[2].lower(),
    )
    await outbox.post(connection, letter)
