"""Lists of days on which nobody meets: taken in, replaced, taken away, asked about a day."""

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from calendars.obstacles import MOST_BYTES, Span
from service import barring, obstacles, overseeing
from service.auditing import Actor
from service.barring import EndedList, File, ListForm
from service.database import Database
from service.domain.errors import FieldsError, NotFoundError, StaleFormError
from service.domain.obstacles import Kind, Obstacle, Treatment
from service.obstacles import Region
from tests import builders
from tests.builders import NOW

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
LANDTAG = ListForm(name="Landtag", treatment=Treatment.NOTE)
PLENUM = File("plenum.csv", b"von;bis;name\n24.3.2027;25.3.2027;Plenum\n14.4.2027;;Plenum\n")
MARCH = Span(date(2027, 3, 24), date(2027, 3, 25), "Plenum")
APRIL = Span(date(2027, 4, 14), date(2027, 4, 14), "Plenum")
MAY = Span(date(2027, 5, 12), date(2027, 5, 12), "Ausschuss")
LATER = File("mai.csv", b"14.4.2027;;Plenum\n12.5.2027;;Ausschuss\n")
HOSTILE = {
    "too large": (File("a.csv", b"x" * (MOST_BYTES + 1)), "bar.err_too_large"),
    "no table": (File("a.csv", b'"' + b"x" * 200_000), "bar.err_unreadable"),
    "empty": (File("a.ics", b""), "bar.err_empty"),
    "a picture": (File("a.ics", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40), "bar.err_empty"),
}
BOMB = File(
    "bombe.ics",
    b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20270101\nSUMMARY:Immer\x00\n"
    b"RRULE:FREQ=DAILY;COUNT=20000\nEND:VEVENT\nEND:VCALENDAR\n",
)


async def a_list(database: Database, form: ListForm = LANDTAG, file: File = PLENUM) -> UUID:
    list_id = uuid4()
    await barring.add_list(database, OFFICE, list_id, form, file, NOW)
    return list_id


async def test_a_list_is_taken_in_with_its_days_and_who_sent_it(database: Database) -> None:
    list_id = await a_list(database)
    kept = await barring.find_list(database, list_id)

    assert (MARCH, APRIL) == await barring.list_spans(database, list_id)
    assert ("Frau Koordinatorin", NOW, "plenum.csv", 2, date(2027, 4, 14)) == (
        *(kept.uploaded_by, kept.uploaded_at, kept.file_name, kept.spans, kept.covered_until_on),
    )


async def test_a_form_sent_twice_takes_one_list_in(database: Database) -> None:
    list_id = await a_list(database)
    await barring.add_list(database, OFFICE, list_id, LANDTAG, LATER, NOW)

    assert (MARCH, APRIL) == await barring.list_spans(database, list_id)


async def test_a_dry_run_tells_what_comes_what_goes_and_what_stays(database: Database) -> None:
    list_id = await a_list(database)
    run = await barring.rehearse(database, list_id, LANDTAG, LATER, NOW)

    assert ((MAY,), (MARCH,), 1) == (run.added, run.dropped, run.same)
    assert (MARCH, APRIL) == await barring.list_spans(database, list_id)


async def test_a_new_file_takes_the_place_of_all_days(database: Database) -> None:
    list_id = await a_list(database)
    await barring.save_list(database, OFFICE, list_id, LANDTAG, LATER, NOW, seen_revision=1)
    kept = await barring.find_list(database, list_id)

    assert (APRIL, MAY) == await barring.list_spans(database, list_id)
    assert ("mai.csv", 2, date(2027, 5, 12)) == (
        *(kept.file_name, kept.revision, kept.covered_until_on),
    )


async def test_without_a_file_the_days_stay(database: Database) -> None:
    list_id = await a_list(database)
    form = ListForm(name="Plenum", treatment=Treatment.SKIP, covered_until_on=date(2027, 12, 31))
    await barring.save_list(database, OFFICE, list_id, form, None, NOW)
    kept = await barring.find_list(database, list_id)

    assert (MARCH, APRIL) == await barring.list_spans(database, list_id)
    assert ("Plenum", Treatment.SKIP, date(2027, 12, 31)) == (
        *(kept.name, kept.treatment, kept.covered_until_on),
    )


async def test_a_list_never_ends_before_its_last_day(database: Database) -> None:
    form = ListForm(name="A", treatment=Treatment.NOTE, covered_until_on=date(2027, 1, 1))
    list_id = await a_list(database, form)
    await barring.save_list(database, OFFICE, list_id, form, None, NOW)

    assert APRIL.last_on == (await barring.find_list(database, list_id)).covered_until_on


async def test_who_saves_over_anothers_change_is_told(database: Database) -> None:
    list_id = await a_list(database)
    await barring.save_list(database, OFFICE, list_id, LANDTAG, None, NOW, seen_revision=1)

    with pytest.raises(StaleFormError):
        await barring.save_list(database, OFFICE, list_id, LANDTAG, LATER, NOW, seen_revision=1)
    assert (MARCH, APRIL) == await barring.list_spans(database, list_id)


async def test_two_lists_have_two_names(database: Database) -> None:
    await a_list(database)
    other = await a_list(database, ListForm(name="Andere", treatment=Treatment.NOTE))
    form = ListForm(name="landtag", treatment=Treatment.NOTE)

    with pytest.raises(FieldsError):
        await a_list(database, form)
    with pytest.raises(FieldsError):
        await barring.save_list(database, OFFICE, other, form, None, NOW)


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_file_without_days_is_refused_and_changes_nothing(
    database: Database, name: str
) -> None:
    file, expected = HOSTILE[name]
    list_id = await a_list(database)

    with pytest.raises(FieldsError) as refused:
        await barring.save_list(database, OFFICE, list_id, LANDTAG, file, NOW)
    assert {"source": (expected, {})} == refused.value.fields
    assert (MARCH, APRIL) == await barring.list_spans(database, list_id)


async def test_a_file_that_repeats_for_ever_is_followed_for_five_years(database: Database) -> None:
    run = await barring.rehearse(database, None, LANDTAG, BOMB, NOW)
    list_id = await a_list(database, LANDTAG, BOMB)

    assert run.added == await barring.list_spans(database, list_id)
    assert run.covered_until_on <= NOW.date() + timedelta(days=5 * 366)


async def test_a_list_goes_with_its_days(database: Database) -> None:
    list_id = await a_list(database)
    await barring.remove_list(database, OFFICE, list_id)
    await barring.remove_list(database, OFFICE, list_id)

    assert () == await barring.find_barred(database, MARCH.first_on, MARCH.last_on)
    with pytest.raises(NotFoundError):
        await barring.find_list(database, list_id)
    with pytest.raises(NotFoundError):
        await barring.save_list(database, OFFICE, list_id, LANDTAG, None, NOW)


async def test_lists_stand_among_the_holidays_of_a_day(database: Database) -> None:
    await a_list(database, ListForm(name="Landtag", treatment=Treatment.MOVE))
    day = date(2027, 3, 25)
    listed = await barring.find_barred(database, day, day)
    found = obstacles.find(Region("DE", "TH"), day, day, listed=listed)

    assert (
        Obstacle(day - timedelta(days=1), day, Kind.BLACK_OUT, "Plenum", "Landtag", Treatment.MOVE)
        in found
    )
    assert {Kind.SCHOOL_HOLIDAY, Kind.BLACK_OUT} == {one.kind for one in found}


@pytest.mark.parametrize(
    ("day", "barred", "ended"),
    [
        (date(2027, 3, 23), [], ()),
        (date(2027, 3, 24), ["Landtag"], ()),
        (date(2027, 4, 14), ["Landtag"], ()),
        (date(2027, 4, 15), [], (EndedList("Landtag", date(2027, 4, 14)),)),
    ],
)
async def test_the_look_at_a_day_names_the_list_and_its_end(
    database: Database, day: date, barred: list[str], ended: tuple[EndedList, ...]
) -> None:
    await a_list(database)
    look = await overseeing.look_at_day(database, day, uuid4(), [], "de")

    assert barred == [one.source for one in look.barred]
    assert ended == look.ended


async def test_the_look_at_several_days_names_what_begins_on_a_further_one(
    database: Database,
) -> None:
    await a_list(database)
    found = []
    for last_on in (date(2027, 3, 23), date(2027, 3, 26), date(9999, 1, 1)):
        day = date(2027, 3, 23)
        look = await overseeing.look_at_day(database, day, uuid4(), [], "de", last_on)
        found.append([(one.first_on.day, one.source or one.name) for one in look.later])

    # Easter and the last day of a month are as far as anybody looks.
    assert [[], [(24, "Landtag"), (26, "Karfreitag")]] == found[:2]
    assert (29, "Ostermontag") in found[2]


async def test_what_is_planned_reaches_to_the_last_session_that_stands(database: Database) -> None:
    for month, state in ((3, "confirmed"), (5, "draft"), (9, "cancelled")):
        starts = datetime(2027, month, 4, 10)  # noqa: DTZ001 - wall time
        await builders.a_meeting(database, starts_local=starts, state=state)

    assert date(2027, 5, 4) == await barring.last_planned_day(database, NOW)
    assert await barring.last_planned_day(database, date(2027, 6, 1)) is None
