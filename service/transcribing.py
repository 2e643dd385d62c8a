"""Replies in words: shown until somebody of the office has entered them as an answer, or settled.

Nothing here interprets what people write. A person reads it, and presses twice. Words that come to
the address of an invitation are about that one, even where their mail names no letter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from notifications.intake import Heard
from service import believing, mending, replying
from service.auditing import Actor
from service.database import Database
from service.domain.replies import NOTE_LENGTH, offered_answers
from service.domain.words import Answer, Mode, Way
from service.replying import Recorded, Reply
from service.settings import Settings
from service.tables import return_statements as statements
from service.tokens import Keys

# The beginning that stands open; the rest is one press away.
SHORT = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What somebody wrote; the ids are None where the mail names no letter about them.

    `sender` is the address that it came from, `known_as` whose address that is, "" where unknown;
    `invitation_id` is set where the person stands on the session's list.
    """

    id: int
    received_at: datetime
    sender: str
    subject: str
    text: str
    has_calendar: bool
    person_id: UUID | None
    person_name: str
    known_id: UUID | None
    known_as: str
    meeting_id: UUID | None
    meeting_title: str
    invitation_id: UUID | None

    @property
    def beginning(self) -> str:
        """Return what stands open: all of it, or as many words as fit."""
        if len(self.text) <= SHORT:
            return self.text
        return f"{self.text[:SHORT].rsplit(None, 1)[0]} …"

    @property
    def is_long(self) -> bool:
        """Tell whether there is more than the beginning."""
        return len(self.text) > SHORT

    @property
    def note(self) -> str:
        """Return the words as the note of an answer, which is shorter than a mail may be."""
        text = self.text or self.subject
        return text if len(text) <= NOTE_LENGTH else f"{text[: NOTE_LENGTH - 2].rstrip()} …"


async def place(
    connection: "Connection[Any]", settings: Settings, keys: Keys, heard: Heard
) -> None:
    """Note whose words were mailed to the address of an invitation; no answer changes by it."""
    row = await believing.find_addressed(connection, settings, keys, heard.came_to)
    if row is not None:
        await connection.execute(statements.NAME_INVITATION, heard.event_id, str(row["id"]))


async def list_all(database: Database) -> Sequence[Words]:
    """Return all words that wait for somebody, the newest first, two hundred at most."""
    return [_words(row) for row in await database.fetch(statements.WORDS, None, None)]


async def list_of_session(database: Database, meeting_id: UUID) -> Sequence[Words]:
    """Return the words that answer to letters about one session, the newest first."""
    return [_words(row) for row in await database.fetch(statements.WORDS, meeting_id, None)]


async def find(database: Database, event_id: int | None, invitation_id: UUID) -> Words | None:
    """Return words of this invited person that still wait; None when they do not."""
    if event_id is None:
        return None
    found = [_words(row) for row in await database.fetch(statements.WORDS, None, event_id)]
    return next((one for one in found if one.invitation_id == invitation_id), None)


async def count(database: Database) -> int:
    """Count the words that wait for somebody."""
    found: int = await database.fetchval(statements.COUNT_WORDS)
    return found


def by_invitation(found: Sequence[Words]) -> Mapping[UUID | None, Sequence[Words]]:
    """Sort words by who wrote them; None stands for people who are not on the list."""
    sorted_words: dict[UUID | None, list[Words]] = {}
    for one in found:
        sorted_words.setdefault(one.invitation_id, []).append(one)
    return sorted_words


def offered(mode: Mode) -> Mapping[str, Answer]:
    """Name the three presses with the answers that they fill in; of two ways to come the first."""
    return {
        "yes": offered_answers(mode)[0],
        "declined": Answer.DECLINED,
        "undecided": Answer.UNDECIDED,
    }


async def enter(  # noqa: PLR0917 - what the office's form holds
    database: Database,
    actor: Actor,
    words: Words,
    reply: Reply,
    way: Way,
    now: datetime,
) -> Recorded:
    """Store the answer that somebody read out of the words, and settle them.

    Raise what `replying.enter_reply` raises. The answer comes first: what is stored twice changes
    nothing, what is settled without an answer would be lost.
    """
    recorded = await replying.enter_reply(
        database, actor, _on_list(words), reply, way, now, meeting_id=words.meeting_id
    )
    await mending.settle(database, actor, words.id, now)
    return recorded


def _on_list(words: Words) -> UUID:
    if words.invitation_id is None:
        raise ValueError(words.id)
    return words.invitation_id


def _words(row: Any) -> Words:
    return Words(**dict(row))
