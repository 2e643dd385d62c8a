"""One page with every macro on it, as people see it untouched and after errors."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from service.pages.rendering import Instance, Pages

SOURCE = (Path(__file__).parent / "specimen.html").read_text(encoding="utf-8")
PAGES = Pages(
    "https://termine.example.org",
    Instance("Bündnis Regionalentwicklung", "office@alliance.example.org", "0361 123456"),
)
STAFF = {"name": "Erika Muster", "role": "Geschäftsstelle", "form_guard": "ft-0"}


@dataclass
class Typed:
    """A form as templates see it."""

    values: dict[str, str | list[str]] = field(default_factory=dict)
    errors: dict[str, str | None] = field(default_factory=dict)


def with_errors() -> Typed:
    """Return a form in which every kind of field is wrong."""
    return Typed(
        values={
            "answer": "represented",
            "email": "erika@stadt",
            "note": "</textarea><b>",
            "start_date": "3.12.",
            "start_time": "zehn",
            "group": "leerstand",
            "days": ["1"],
        },
        errors={
            "": "Jemand hat diesen Eintrag geändert.",
            "answer": "Wählen Sie aus, ob Sie teilnehmen",
            "full_name": None,
            "email": "Geben Sie die E-Mail-Adresse in der Form name@beispiel.de ein",
            "note": "Ihre Nachricht hat 600 Zeichen. Höchstens 500 sind möglich.",
            "start_date": "Geben Sie das Datum in der Form 27.3.2027 ein",
            "start_time": "Geben Sie die Uhrzeit in der Form 10:00 ein",
            "group": "Wählen Sie eine Gruppe",
            "list_consent": "Kreuzen Sie das an",
            "paper": "Wählen Sie eine Datei aus",
        },
    )


def specimen(locale: str = "de", **context: Any) -> str:
    """Render the page with every macro."""
    return render_source(SOURCE, locale, **context)


def render_source(source: str, locale: str = "de", **context: Any) -> str:
    """Render a template that is not in the package, as if it were."""
    defaults = {
        "path": "/muster",
        "starts": datetime(2026, 12, 3, 9, 0, tzinfo=UTC),
        "ends": datetime(2026, 12, 3, 11, 0, tzinfo=UTC),
    }
    template = PAGES._environments[locale].from_string(source)
    return template.render({**PAGES._defaults, **defaults, **context})
