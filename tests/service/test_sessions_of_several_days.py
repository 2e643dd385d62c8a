"""On the second day of a session, those who came on the first are told of the third."""

from datetime import datetime, timedelta

import pytest

from service import noticing
from service.database import Database
from service.domain import instants
from tests import builders

FIRST_DAY = datetime(2027, 3, 4, 10, 0)  # noqa: DTZ001 - wall time
SECOND_DAY = instants.to_utc(FIRST_DAY + timedelta(days=1), "Europe/Berlin")


@pytest.mark.parametrize("kind", ["change", "cancellation"])
@pytest.mark.parametrize(("days", "is_news"), [(0, False), (2, True)])
async def test_news_on_the_second_day_reaches_people_where_there_is_a_third(
    database: Database, kind: str, days: int, *, is_news: bool
) -> None:
    meeting = await builders.a_meeting(
        database,
        starts_local=FIRST_DAY,
        ends_local=FIRST_DAY + timedelta(days=days, hours=2),
        state="cancelled" if kind == "cancellation" else "confirmed",
    )
    await builders.an_invitation(database, meeting, answer="in_person")
    await builders.a_notice(database, meeting, kind=kind, due_at=SECOND_DAY, before={})
    await noticing.queue_due(database, SECOND_DAY)
    (letter,) = await builders.letters(database)

    assert (kind, is_news) == (letter["kind"], letter["expires_at"] > SECOND_DAY)
