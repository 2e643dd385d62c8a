"""What becomes of Markdown where nothing can be bold."""

import pytest

from service.pages.plain_text import write_plain


@pytest.mark.parametrize(
    ("source", "plain"),
    [
        ("Eine Sitzung **außer der Reihe**.", "Eine Sitzung außer der Reihe."),
        ("*kursiv*, __fett__ und `Befehl`", "kursiv, fett und Befehl"),
        ("[Der Plan](https://example.org/plan)", "Der Plan (https://example.org/plan)"),
        ("<https://example.org/plan>", "https://example.org/plan"),
        ("<buero@example.org>", "buero@example.org"),
        ("## Ablauf", "Ablauf"),
        ("# Ablauf **heute** ##", "Ablauf heute"),
        ("- **erstens**\n* zweitens\n1. *drittens*", "- erstens\n* zweitens\n1. drittens"),
        ("  eingerückt *so*", "  eingerückt so"),
        (r"3 \* 4", "3 * 4"),
    ],
)
def test_markup_goes_and_words_stay(source: str, plain: str) -> None:
    assert plain == write_plain(source)


@pytest.mark.parametrize(
    "text",
    [
        "TOP 1 Begrüßung\n\nTOP 2 Verschiedenes",
        "3 * 4 * 5",
        "datei_mit_namen.pdf",
        "https://example.org/a_b_c?x=1&y=2",
        "Ort: [wird noch genannt]",
        "#16 ist die Nummer",
        "<b>kein HTML</b>",
        "",
    ],
)
def test_what_is_no_markup_stays_as_it_is(text: str) -> None:
    assert text == write_plain(text)
