"""The rule in Python and the rule in SQL say the same."""

import itertools
from datetime import timedelta
from typing import Any

from service.database import Database
from service.domain import overrides, replies
from service.domain.overrides import Kept, Overrides, Place
from service.domain.replies import GivenFor
from service.domain.words import Answer, Mode
from service.tables import facts
from service.tables.invitation_statements import HOLDS
from tests.builders import NOW, START, a_meeting, a_person, an_invitation

STARTS = [None, START, START + timedelta(minutes=59), START - timedelta(minutes=60)]
TOWNS = ["", "Erfurt", " erfurt ", "Gotha"]

_COMPARE = f"SELECT {HOLDS} FROM invitation i JOIN meeting m ON m.id = i.meeting_id WHERE i.id = $1"
_SET = """
UPDATE invitation SET answer = $2, given_starts_local = $3, given_mode = $4, given_town = $5
WHERE id = $1
"""


SAID = [
    overrides.NONE,
    Overrides((Kept(Place(START, Mode.ON_SITE, "Gotha"), Place(START, Mode.HYBRID, "Erfurt")),)),
    Overrides(
        (
            Kept(Place(START - timedelta(days=7), Mode.ONLINE, ""), Place(START, Mode.ONLINE, "")),
            Kept(
                Place(START - timedelta(hours=1), Mode.HYBRID, "Gotha"),
                Place(None, Mode.ON_SITE, ""),
            ),
        ),
        NOW - timedelta(hours=6),
    ),
    Overrides((), NOW - timedelta(hours=5)),
]


async def test_python_and_sql_agree_on_which_answers_hold(database: Database) -> None:
    person = await a_person(database)
    disagreements: list[Any] = []
    for mode, said in itertools.product(Mode, SAID):
        kept = {"kept_answers": overrides.to_json(said), "asked_again_at": said.asked_at}
        meeting = await a_meeting(database, mode=mode, **kept)
        invitation = await an_invitation(database, meeting, person, answer="in_person")
        rules = facts.read(meeting)
        combinations = itertools.product(Answer, STARTS, Mode, TOWNS)
        for answer, starts, given_mode, town in combinations:
            await database.fetch(_SET, invitation["id"], answer, starts, given_mode, town)
            in_sql = await database.fetchval(_COMPARE, invitation["id"])
            given = GivenFor(
                starts_local=starts,
                mode=given_mode,
                town=town,
                answer=answer,
                answered_at=invitation["answered_at"],
            )
            if in_sql is not replies.still_holds(given, rules, said):
                disagreements.append((mode, said, answer, starts, given_mode, town, in_sql))

    assert disagreements == []
