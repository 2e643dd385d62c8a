"""Repeat, withdraw or release several letters of the mail log at once, after a second look."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from service import posting
from service.auditing import Actor
from service.database import Database
from service.domain.errors import NotFoundError
from service.posting import PostedLetter

# A page of the log holds fifty; what is ticked beyond a few pages was not looked at.
MOST = 200


class Act(StrEnum):
    """What can be done about letters."""

    REPEAT = "repeat"
    WITHDRAW = "withdraw"
    RELEASE = "release"


@dataclass(frozen=True, slots=True)
class Picked:
    """What was ticked: letters with which the act is possible now, and how many without."""

    act: Act
    letters: tuple[PostedLetter, ...]
    left_out: int


async def look(database: Database, act: Act, letter_ids: Collection[UUID]) -> Picked:
    """Return what an act would do to these letters, 200 at most; the newest come first."""
    found = await posting.find_letters(database, sorted(set(letter_ids))[:MOST])
    able = tuple(letter for letter in found if _can(act, letter))
    return Picked(act, able, len(found) - len(able))


async def carry_out(
    database: Database, actor: Actor, act: Act, letter_ids: Collection[UUID], now: datetime
) -> int:
    """Do it to each letter on its own and return with how many it was still possible.

    A letter that is leaving at this moment does not hold the others up.
    """
    return sum(
        [
            await _do(database, actor, act, letter_id, now)
            for letter_id in sorted(set(letter_ids))[:MOST]
        ]
    )


async def _do(database: Database, actor: Actor, act: Act, letter_id: UUID, now: datetime) -> bool:
    try:
        if act is Act.REPEAT:
            return await posting.repeat(database, actor, letter_id, now)
        if act is Act.WITHDRAW:
            return await posting.withdraw(database, actor, letter_id)
        return await posting.release(database, actor, letter_id, now)
    except NotFoundError:
        return False


def _can(act: Act, letter: PostedLetter) -> bool:
    if act is Act.REPEAT:
        return letter.can_repeat
    return letter.can_withdraw if act is Act.WITHDRAW else letter.can_release
