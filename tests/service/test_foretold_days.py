"""What is told of some days is what leaves in them, whatever they hold."""

import random
from datetime import date, datetime, time, timedelta
from typing import Any

from service import foretelling
from service.database import Database
from service.domain.reminders import COMING, MOST_A_DAY, Anchor, Audience, Kind, Rule
from service.foretelling import Window
from service.services import Services
from tests import builders
from tests.builders import NOW, Row, insert
from tests.service import test_foretelling as ahead
from tests.service.test_foretelling import (
    DAY_BEFORE,
    a_session,
    let_time_pass,
    rules,
    told,
)

services = ahead.services
TO_TUESDAY = Window(NOW, NOW + timedelta(days=1, hours=2))
TO_WEDNESDAY = Window(NOW, NOW + timedelta(days=2, hours=2))
WEDNESDAY = datetime(2027, 1, 6, 10, 0)  # noqa: DTZ001 - wall time
LONG_SINCE = NOW - timedelta(days=20)
ANSWERS = ("in_person", "online", "represented", "undecided", "declined", None, None)


async def test_who_gets_many_reminders_a_day_is_foretold_the_joint_letter(
    services: Services,
) -> None:
    await rules(services.database, DAY_BEFORE)
    person = await builders.a_person(services.database)
    for _ in range(MOST_A_DAY + 2):
        meeting = await a_session(services.database, WEDNESDAY)
        await builders.an_invitation(
            services.database, meeting, person, answer="in_person", invited_at=LONG_SINCE
        )
    foretold = await foretelling.foretell(services, TO_TUESDAY)
    sent = await let_time_pass(services, TO_TUESDAY.to_at)

    assert sent == told(foretold)
    kinds = sorted(each.kind for each in foretold.letters)
    assert ["reminder"] * (MOST_A_DAY - 1) + ["reminders"] == kinds
    assert not foretold.stopped


async def test_what_is_told_of_days_at_random_is_what_leaves_in_them(services: Services) -> None:
    await some_days(services.database, random.Random(1))  # noqa: S311 - no secret
    foretold = await foretelling.foretell(services, TO_WEDNESDAY)
    sent = await let_time_pass(services, TO_WEDNESDAY.to_at)

    assert foretold.letters
    assert sent == told(foretold)


async def some_days(database: Database, chance: random.Random) -> None:
    """Write sessions, people, answers, wishes, rules and changes at random.

    All falls due at full hours of the day: time passes by those.
    """
    await rules(database, *(a_rule(chance) for _ in range(chance.randint(3, 7))))
    people = [await somebody(database, chance) for _ in range(8)]
    for _ in range(5):
        day = datetime.combine(date(2027, 1, chance.randint(5, 12)), time(chance.randint(12, 17)))
        meeting = await a_session(
            database,
            day,
            answer_by_local=day - timedelta(days=chance.randint(1, 8)),
            mode=chance.choice(("on_site", "online", "hybrid")),
        )
        for person in chance.sample(people, chance.randint(2, 8)):
            await builders.an_invitation(
                database,
                meeting,
                person,
                answer=chance.choice(ANSWERS),
                invited_at=NOW - timedelta(days=chance.choice((1, 3, 20))),
            )
        if chance.random() < 0.4:
            await a_change(database, chance, meeting)
    asked = await builders.a_meeting(database)
    for person in people[:3]:
        await builders.an_invitation(database, asked, person, state="planned")
    await builders.a_notice(database, asked, kind="invitation", due_at=a_time(chance))


def a_rule(chance: random.Random) -> Rule:
    is_nudge = chance.random() < 0.4
    by_days = is_nudge or chance.random() < 0.7
    audience = (Audience.NO_ANSWER,) if is_nudge else COMING
    return Rule(
        kind=Kind.NUDGE if is_nudge else Kind.REMINDER,
        audience=audience,
        anchor=Anchor.ANSWER_BY if is_nudge else Anchor.START,
        days_before=chance.randint(0, 8) if by_days else None,
        at_local_time=time(chance.randint(8, 17)) if by_days else None,
        minutes_before=None if by_days else 60 * chance.randint(1, 4),
        only_online=chance.random() < 0.2,
        min_days_invited=chance.choice((0, 0, 2)),
    )


async def somebody(database: Database, chance: random.Random) -> Row:
    address = "sekretariat@example.org" if chance.random() < 0.3 else None
    person = await builders.a_person(database, copy_email=address)
    offered: tuple[dict[str, Any], ...] = (
        {"reminders": False},
        {"nudges": False},
        {"digest": True},
        {"digest_only": True},
        {"paused_until": date(2027, 1, chance.randint(4, 9))},
        {},
        {},
    )
    wishes = chance.choice(offered)
    if wishes:
        await insert(database, "preference", person_id=person["id"], **wishes)
    return person


async def a_change(database: Database, chance: random.Random, meeting: Row) -> None:
    await builders.a_notice(
        database, meeting, due_at=a_time(chance), before={}, with_decliners=chance.random() < 0.5
    )


def a_time(chance: random.Random) -> datetime:
    return NOW + timedelta(days=chance.randint(0, 1), hours=chance.randint(1, 7))
