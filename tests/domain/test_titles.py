import pytest

from service.domain import titles

PATTERN = "{number}. Arbeitsgruppensitzung „WULIS“"


def test_a_number_fills_the_pattern() -> None:
    assert titles.fill(PATTERN, 19) == "19. Arbeitsgruppensitzung „WULIS“"


def test_an_unnumbered_session_loses_the_number_with_its_dot() -> None:
    assert titles.fill(PATTERN, None) == "Arbeitsgruppensitzung „WULIS“"


def test_a_pattern_may_be_the_title_alone() -> None:
    assert titles.fill("{title}", None, "Workshop 4") == "Workshop 4"


@pytest.mark.parametrize(
    ("title", "number"),
    [
        ("19. Arbeitsgruppensitzung „WULIS“", 19),
        ("Jahresauftakt", None),
        ("x19. Arbeitsgruppensitzung „WULIS“", None),
    ],
)
def test_a_number_is_read_only_from_a_title_that_follows_the_pattern(
    title: str, number: int | None
) -> None:
    assert titles.read_number(PATTERN, title) == number


def test_a_pattern_without_a_number_gives_none() -> None:
    assert titles.read_number("{title}", "Workshop 4") is None


def test_names_sort_by_din_5007_1() -> None:
    names = ["Zeh", "Ärmel", "Apfel", "Straße", "Strasse", "Özil", "Ofen", "Oz", "Łódź", "ahorn"]
    ordered = sorted(names, key=titles.sort_key)

    expected = ["ahorn", "Apfel", "Ärmel", "Łódź", "Ofen", "Oz", "Özil", "Straße", "Strasse", "Zeh"]
    assert ordered == expected


def test_names_in_other_scripts_keep_a_key() -> None:
    assert titles.sort_key("Δήμος") != ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("17. Arbeitsgruppensitzung Klima", "17-arbeitsgruppensitzung-klima"),
        ("Großes Öl-Fest für Añejo", "grosses-oel-fest-fuer-anejo"),
        ("🎉", "termin"),
        ("a" * 200, "a" * 80),
        ("„-“", "termin"),
    ],
)
def test_a_slug_can_stand_in_an_address(text: str, expected: str) -> None:
    assert titles.slug(text) == expected
