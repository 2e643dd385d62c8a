"""How dates are shown."""

from datetime import UTC, date, datetime, time

import pytest

from service.pages import dates

TEN = datetime(2026, 12, 3, 9, 0, tzinfo=UTC)
NOON = datetime(2026, 12, 3, 11, 0, tzinfo=UTC)
JUNE = date(2027, 6, 7)


@pytest.mark.parametrize(
    ("starts", "ends", "details", "german", "english"),
    [
        (
            TEN,
            NOON,
            {},
            "Donnerstag, 3. Dezember 2026, 10:00 bis 12:00 Uhr",
            "Thursday, 3 December 2026, 10:00 to 12:00 (German time)",
        ),
        (
            TEN,
            None,
            {},
            "Donnerstag, 3. Dezember 2026, 10:00 Uhr",
            "Thursday, 3 December 2026, 10:00 (German time)",
        ),
        (
            TEN,
            NOON,
            {"zone_note": True},
            "Donnerstag, 3. Dezember 2026, 10:00 bis 12:00 Uhr (deutsche Zeit)",
            "Thursday, 3 December 2026, 10:00 to 12:00 (German time)",
        ),
        (
            TEN,
            datetime(2026, 12, 4, 15, 30, tzinfo=UTC),
            {},
            "Donnerstag, 3. Dezember 2026, 10:00 Uhr bis Freitag, 4. Dezember 2026, 16:30 Uhr",
            "Thursday, 3 December 2026, 10:00 to Friday, 4 December 2026, 16:30 (German time)",
        ),
        (
            TEN,
            datetime(2026, 12, 3, 23, 0, tzinfo=UTC),
            {},
            "Donnerstag, 3. Dezember 2026, 10:00 bis 24:00 Uhr",
            "Thursday, 3 December 2026, 10:00 to 24:00 (German time)",
        ),
        (
            TEN,
            NOON,
            {"precision": "day"},
            "Donnerstag, 3. Dezember 2026",
            "Thursday, 3 December 2026",
        ),
        (
            JUNE,
            date(2027, 6, 8),
            {},
            "Montag, 7. Juni 2027 bis Dienstag, 8. Juni 2027",
            "Monday, 7 June 2027 to Tuesday, 8 June 2027",
        ),
        (
            JUNE,
            None,
            {"precision": "week"},
            "Woche ab Montag, 7. Juni 2027",
            "week of Monday, 7 June 2027",
        ),
        (JUNE, None, {"precision": "month"}, "Juni 2027", "June 2027"),
    ],
)
def test_a_date_is_said_as_precisely_as_it_is_known(
    starts: datetime | date,
    ends: datetime | date | None,
    details: dict[str, object],
    german: str,
    english: str,
) -> None:
    said = [dates.format_when(starts, ends, locale, **details) for locale in ("de", "en")]  # type: ignore[arg-type]

    assert [german, english] == said


def test_summer_time_is_the_time_on_the_wall() -> None:
    july = datetime(2027, 7, 1, 8, 0, tzinfo=UTC)

    assert dates.format_short_when(july, "de") == "Do 1.7.2027, 10:00 Uhr"


@pytest.mark.parametrize(
    ("precision", "german", "english"),
    [
        ("time", "Do 3.12.2026, 10:00 Uhr", "Thu 3 Dec 2026, 10:00"),
        ("day", "Do 3.12.2026", "Thu 3 Dec 2026"),
        ("month", "Dezember 2026", "December 2026"),
    ],
)
def test_the_short_form_fits_tables_and_subjects(
    precision: dates.Precision, german: str, english: str
) -> None:
    said = [dates.format_short_when(TEN, locale, precision=precision) for locale in ("de", "en")]

    assert [german, english] == said


def test_a_day_near_midnight_is_the_day_in_germany() -> None:
    late = datetime(2026, 12, 2, 23, 30, tzinfo=UTC)

    assert dates.format_short_date(late, "de") == "Do 3.12.2026"


def test_a_time_of_day_has_two_digits_for_the_hour() -> None:
    assert dates.format_clock(time(9, 5), "de") == "09:05"


@pytest.mark.parametrize(
    ("precision", "machine"),
    [
        ("time", "2026-12-03T10:00+01:00"),
        ("day", "2026-12-03"),
        ("week", "2026-W49"),
        ("month", "2026-12"),
    ],
)
def test_programs_read_the_same_precision_as_people(
    precision: dates.Precision, machine: str
) -> None:
    assert machine == dates.machine_form(TEN, precision=precision)


def test_a_time_element_escapes_its_text() -> None:
    assert dates.time_element("<b>", "2026-12") == '<time datetime="2026-12">&lt;b&gt;</time>'
