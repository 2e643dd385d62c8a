import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from service import limiting
from service.database import Database
from service.limiting import Limit
from service.settings import Settings

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
THREE_AN_HOUR = Limit("test", 3, timedelta(hours=1))


async def test_a_bucket_gives_what_it_holds_and_then_says_when(database: Database) -> None:
    answers = [await limiting.take(database, THREE_AN_HOUR, "x", NOW) for _ in range(4)]

    assert answers[:3] == [None, None, None]
    assert answers[3] == pytest.approx(NOW + timedelta(minutes=20), abs=timedelta(seconds=1))


async def test_a_bucket_fills_evenly_and_never_over_its_brim(database: Database) -> None:
    for _ in range(3):
        await limiting.take(database, THREE_AN_HOUR, "x", NOW)
    soon = NOW + timedelta(minutes=21)
    one = [await limiting.take(database, THREE_AN_HOUR, "x", soon) is None for _ in range(2)]
    later = NOW + timedelta(days=1)
    full = [await limiting.take(database, THREE_AN_HOUR, "x", later) is None for _ in range(4)]

    assert one == [True, False]
    assert full == [True, True, True, False]


async def test_a_clock_that_goes_back_gives_nothing_away_and_takes_nothing(
    database: Database,
) -> None:
    for _ in range(3):
        await limiting.take(database, THREE_AN_HOUR, "x", NOW)
    before = NOW - timedelta(hours=24)
    told = await limiting.take(database, THREE_AN_HOUR, "x", before)
    soon = [
        await limiting.take(database, THREE_AN_HOUR, "x", before + timedelta(minutes=minutes))
        for minutes in (19, 21, 22)
    ]

    assert before + timedelta(minutes=20) == pytest.approx(told, abs=timedelta(seconds=1))
    assert [False, True, False] == [answer is None for answer in soon]


async def test_a_bucket_that_is_left_half_full_by_a_clock_that_was_ahead_fills_again(
    database: Database,
) -> None:
    await limiting.take(database, THREE_AN_HOUR, "x", NOW)
    before = NOW - timedelta(hours=24)
    now = [await limiting.take(database, THREE_AN_HOUR, "x", before) for _ in range(3)]
    later = await limiting.take(database, THREE_AN_HOUR, "x", before + timedelta(minutes=21))

    assert [True, True, False] == [answer is None for answer in now]
    assert later is None


async def test_hits_in_another_order_than_they_were_timed_in_give_nothing_away(
    database: Database,
) -> None:
    for back in (0, 50, 10):
        await limiting.take(database, THREE_AN_HOUR, "x", NOW - timedelta(seconds=back))
    told = await limiting.take(database, THREE_AN_HOUR, "x", NOW - timedelta(seconds=30))

    assert NOW + timedelta(minutes=20) == pytest.approx(told, abs=timedelta(seconds=1))


async def test_hits_at_the_same_time_are_counted_each(database: Database) -> None:
    answers = await asyncio.gather(
        *(limiting.take(database, THREE_AN_HOUR, "x", NOW) for _ in range(20))
    )

    assert [answer is None for answer in answers].count(True) == 3


async def test_keys_and_limits_do_not_share_a_bucket(database: Database) -> None:
    for _ in range(3):
        await limiting.take(database, THREE_AN_HOUR, "x", NOW)
    other = Limit("other", 1, timedelta(hours=1))

    assert await limiting.take(database, THREE_AN_HOUR, "y", NOW) is None
    assert await limiting.take(database, other, "x", NOW) is None


async def test_full_buckets_are_removed(database: Database) -> None:
    await limiting.take(database, THREE_AN_HOUR, "x", NOW)
    await limiting.purge(database, NOW + timedelta(days=3))

    assert await database.fetchval("SELECT count(*) FROM rate_bucket") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.200", True),
        ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8:1:2::1", "2001:db8:1:ffff::1", True),
        ("2001:db8:1::1", "2001:db8:2::1", False),
        (None, "no address", True),
    ],
)
def test_a_network_is_known_by_its_prefix_only(
    settings: Settings, one: str | None, other: str | None, *, same: bool
) -> None:
    keys = settings.token_keys

    assert same == (limiting.network_key(keys, one, NOW) == limiting.network_key(keys, other, NOW))


def test_a_network_has_another_name_tomorrow(settings: Settings) -> None:
    keys = settings.token_keys
    today, tomorrow = (
        limiting.network_key(keys, "192.0.2.1", at) for at in (NOW, NOW + timedelta(days=1))
    )

    assert today != tomorrow
