"""A session that is moved and moved back before anybody was told is as it was."""

from datetime import date, datetime, timedelta

import pytest

from service import noticing
from service.auditing import COMMAND
from service.database import Database
from tests import builders
from tests.builders import NOW, START
from tests.service.test_late_reminders import DAY, MINUTE, change
from tests.service.test_reminding import NUDGE, a_session, invited

AWAY, HOME = date(2027, 3, 25), START.date()
OWN = START - timedelta(days=3)


async def deadline(database: Database) -> datetime | None:
    found: datetime | None = await database.fetchval("SELECT answer_by_local FROM meeting")
    return found


@pytest.mark.parametrize("own", [OWN, None])
async def test_the_deadline_that_people_know_comes_back_with_the_date(
    database: Database, own: datetime | None
) -> None:
    meeting = await a_session(database, NUDGE, answer_by_local=own)
    await invited(database, meeting)
    await change(database, meeting, NOW, start_on=AWAY, end_on=None)
    away = await deadline(database)
    told = await change(database, meeting, NOW + 3 * MINUTE, start_on=HOME, end_on=None)

    assert (None, own) == (told, await deadline(database))
    assert away not in {None, own}


async def test_the_deadline_that_people_know_comes_back_when_they_were_never_told(
    database: Database,
) -> None:
    meeting = await a_session(database, NUDGE, answer_by_local=OWN)
    await invited(database, meeting)
    notice = await change(database, meeting, NOW, start_on=AWAY, end_on=None)
    assert notice is not None
    await noticing.withdraw(database, COMMAND, notice, NOW + MINUTE)
    await change(database, meeting, NOW + DAY, start_on=HOME, end_on=None)

    assert OWN == await deadline(database)


async def test_a_deadline_that_people_know_and_that_is_over_is_not_set_again(
    database: Database,
) -> None:
    over = START - timedelta(days=8)
    meeting = await a_session(database, NUDGE, answer_by_local=over)
    await invited(database, meeting)
    now = datetime.fromisoformat(f"{over.date()}T08:59:00+00:00")
    await change(database, meeting, now, start_on=AWAY, end_on=None)
    await change(database, meeting, now + 4 * MINUTE, start_on=HOME, end_on=None)

    assert over != await deadline(database)


async def test_after_they_were_told_of_another_date_the_rule_says(database: Database) -> None:
    meeting = await a_session(database, NUDGE, answer_by_local=OWN)
    await invited(database, meeting)
    await change(database, meeting, NOW, start_on=AWAY, end_on=None)
    await noticing.queue_due(database, NOW + DAY)
    await change(database, meeting, NOW + 2 * DAY, start_on=HOME, end_on=None)

    assert [1] == [len(await builders.letters(database, kind="change"))]
    assert OWN != await deadline(database)
