"""Letters that are written when the deadline for answers is over ask for none until then."""

from collections.abc import AsyncIterator
from datetime import datetime, time, timedelta

import pytest
import pytest_asyncio

from service import foretelling, furnishing, reminding
from service.database import Database
from service.domain.reminders import Audience, Kind, Rule
from service.foretelling import Foretold, Window
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from tests import builders
from tests.builders import NOW, Row, insert

THURSDAY = datetime(2027, 1, 7, 10, 0)  # noqa: DTZ001 - wall time
IN_TIME = datetime(2027, 1, 6, 12, 0)  # noqa: DTZ001 - wall time
OVER = datetime(2027, 1, 3, 12, 0)  # noqa: DTZ001 - wall time


@pytest_asyncio.fixture(loop_scope="session")
async def services(settings: Settings, database: Database) -> AsyncIterator[Services]:
    await builders.a_ready_office(database)
    pages = Pages(settings.public_url, Instance("Bündnis", ""), static_urls())
    yield Services(settings, database, pages, lambda: NOW, settings.token_keys)
    furnishing.forget(database)


async def a_session(database: Database, deadline: datetime) -> Row:
    """Insert a session on Thursday whose undecided and leading people are reminded before."""
    rule = Rule(
        kind=Kind.REMINDER,
        audience=(Audience.UNDECIDED, Audience.LEAD),
        days_before=1,
        at_local_time=time(9),
    )
    meeting = await builders.a_meeting(
        database,
        starts_local=THURSDAY,
        answer_by_local=deadline,
        invited_at=NOW - timedelta(days=20),
    )
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, rule, meeting_id=meeting["id"])
        await reminding.plan_slots(unit.connection, meeting["id"], NOW)
    return meeting


async def foretold(services: Services) -> Foretold:
    window = Window(NOW, NOW + timedelta(days=3))
    (letter,) = (await foretelling.foretell(services, window)).letters
    return letter


@pytest.mark.parametrize(
    ("deadline", "said", "unsaid"),
    [
        (IN_TIME, "Antwort bis: Mittwoch, 6. Januar 2027, 12:00 Uhr", "Frist"),
        (OVER, "Frist war: Sonntag, 3. Januar 2027, 12:00 Uhr", "Antwort bis"),
    ],
)
async def test_a_reminder_to_the_undecided_names_no_deadline_that_is_over(
    services: Services, deadline: datetime, said: str, unsaid: str
) -> None:
    meeting = await a_session(services.database, deadline)
    await builders.an_invitation(
        services.database, meeting, answer="undecided", invited_at=NOW - timedelta(days=20)
    )
    text = " ".join((await foretold(services)).text.split())

    assert said in text
    assert unsaid not in text


async def test_a_request_by_hand_after_the_deadline_asks_for_an_answer_all_the_same(
    services: Services,
) -> None:
    meeting = await a_session(services.database, OVER)
    await builders.an_invitation(services.database, meeting)
    await builders.a_notice(services.database, meeting, kind="nudge")
    letter = await foretold(services)

    assert letter.subject.endswith("Do 7.1.2027, 10:00 Uhr")
    assert "Die Antwortfrist ist vorbei. Sie können trotzdem antworten." in letter.text


async def test_the_weekly_letter_tells_a_deadline_that_is_over_from_one_to_come(
    services: Services,
) -> None:
    person = await builders.a_person(services.database)
    await insert(services.database, "preference", person_id=person["id"], digest=True)
    for deadline in (OVER, IN_TIME):
        meeting = await builders.a_meeting(
            services.database, starts_local=THURSDAY, answer_by_local=deadline
        )
        await builders.an_invitation(services.database, meeting, person)
    text = (await foretold(services)).text

    assert (1, 1) == (text.count("(Frist war So 3.1.2027)"), text.count("(bis Mi 6.1.2027)"))


async def test_a_lead_who_is_asked_again_is_not_told_a_former_answer_as_the_present_one(
    services: Services,
) -> None:
    meeting = await a_session(services.database, IN_TIME)
    invitation = await builders.an_invitation(
        services.database,
        meeting,
        answer="in_person",
        given_starts_local=THURSDAY - timedelta(days=7),
        invited_at=NOW - timedelta(days=20),
    )
    (group,) = await services.database.fetch("SELECT id FROM working_group")
    await builders.a_membership(
        services.database, {"id": invitation["person_id"]}, dict(group), role="lead"
    )
    text = (await foretold(services)).text

    assert "Von Ihnen selbst fehlt noch eine" in text
    assert "Ihre Antwort: " not in text
