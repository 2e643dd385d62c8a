"""Find the invitation that a private link opens, or that the office looks at; write nothing."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from service import tokens
from service.database import Database
from service.domain import overrides, replies
from service.domain.changes import MeetingFacts
from service.domain.errors import (
    LinkExpiredError,
    LinkReplacedError,
    LinkUnknownError,
    NotFoundError,
)
from service.domain.replies import GivenFor, InvitationFacts, Phase
from service.domain.words import Answer, Mode
from service.tables import answer_statements as statements
from service.tables import facts
from service.tokens import Keys, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationView:
    """One invitation as its answer page shows it; `row` holds the columns as they are."""

    id: UUID
    meeting_id: UUID
    person_id: UUID
    full_name: str
    organisation: str
    locale: str
    meeting: MeetingFacts
    revision: int
    answer: Answer | None
    holds: bool
    phase: Phase
    seats_left: int | None
    partner_seats_left: int | None
    row: asyncpg.Record = field(repr=False)

    @property
    def is_uninvited(self) -> bool:
        """Tell whether the invitation was taken back."""
        return bool(self.row["invitation_state"] == "uninvited")

    @property
    def offered(self) -> tuple[Answer, ...]:
        """Name the answers that the page offers."""
        return replies.offered_answers(self.meeting.mode)

    @property
    def expires_at(self) -> datetime | None:
        """Return when the link stops being readable, None while there is no date."""
        ends_at = self.meeting.ends_at
        return None if ends_at is None else ends_at + replies.READABLE_AFTER_END


async def find_invitation(
    database: Database, keys: Keys, token: str, now: datetime
) -> InvitationView:
    """Return the invitation that the private link opens, changing nothing.

    Raise `LinkUnknownError`, `LinkReplacedError` after a renewal (value `renewed_at`), or
    `LinkExpiredError` thirty days after the end (value `until`).
    """
    handle = tokens.read_handle(token)
    row = None if handle is None else await database.fetchrow(statements.FIND_BY_HANDLE, handle)
    if row is None or handle is None:
        raise LinkUnknownError
    if not tokens.matches(keys, token, Purpose.ANSWER, handle, row["epoch"]):
        if tokens.was_derived(keys, token, Purpose.ANSWER, handle, range(1, row["epoch"])):
            raise LinkReplacedError(renewed_at=row["renewed_at"])
        raise LinkUnknownError
    view = _view(row, now)
    if view.phase is Phase.EXPIRED:
        raise LinkExpiredError(until=view.expires_at)
    return view


async def load_invitation(database: Database, invitation_id: UUID, now: datetime) -> InvitationView:
    """Return an invitation for the office, or raise `NotFoundError`."""
    row = await database.fetchrow(statements.FIND_BY_ID, invitation_id)
    if row is None:
        raise NotFoundError
    return _view(row, now)


def _view(row: asyncpg.Record, now: datetime) -> InvitationView:
    meeting = facts.read(row)
    answer = None if row["answer"] is None else Answer(row["answer"])
    invitation = InvitationFacts(
        is_open=row["invitation_state"] != "uninvited", has_seat=row["has_seat"]
    )
    taken = row["taken"] or 0
    return InvitationView(
        id=row["id"],
        meeting_id=row["meeting_id"],
        person_id=row["person_id"],
        full_name=row["full_name"],
        organisation=row["organisation"],
        locale=row["locale"],
        meeting=meeting,
        revision=row["revision"],
        answer=answer,
        holds=answer is not None
        and replies.still_holds(_given(row, answer), meeting, overrides.read(row)),
        phase=replies.phase(meeting, invitation, now, taken),
        seats_left=replies.seats_left(meeting, taken),
        partner_seats_left=_partner_seats_left(row),
        row=row,
    )


def _partner_seats_left(row: asyncpg.Record) -> int | None:
    """Return the partner's free seats; who belongs to no partner is not limited by one."""
    if row["organisation_id"] is None:
        return None
    return replies.partner_seats_left(row["seats_per_partner"], row["partner_taken"])


def _given(row: asyncpg.Record, answer: Answer) -> GivenFor:
    return GivenFor(
        starts_local=row["given_starts_local"],
        mode=Mode(row["given_mode"] or row["mode"]),
        town=row["given_town"] or "",
        answer=answer,
        answered_at=row["answered_at"],
    )
