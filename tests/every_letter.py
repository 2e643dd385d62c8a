"""Every letter that leaves, in words, with values for its slots."""

import html
import re
from collections.abc import Mapping
from datetime import date
from uuid import UUID

from calendars.entry import Organiser
from notifications.letters import Draft
from service import (
    describing,
    joint_letters,
    phrasing,
    plain_letters,
    sampling,
    summarising,
    wording,
)
from service.digesting import Shape as Week
from service.listing_links import Shape
from service.previewing import ShownLetter
from service.requesting import CalendarWay
from service.sampling import Sample
from service.weighing import Standing
from service.wording import Words
from tests.joint_occasions import JOINT, a_joint_letter
from tests.occasions import OCCASIONS, OFFICE, SUMMARIES, VALUES, an_occasion

PLAIN = ("sign_in", "hint_received", "probe", "ear")
LOST = {"lost_links": Shape(1, 2), "lost_links_none": Shape()}
PLAIN_VALUES = {
    "name": "Mira Muster",
    "code": "123456",
    "link_preferences": VALUES["link_preferences"],
    "link_unsubscribe": VALUES["link_unsubscribe"],
    "link_sign_in": "https://termine.example.org/anmelden/l/" + "k3" * 26,
    "lines": "Seite: /termine\n\nProblem: Die Liste lädt nicht.",
    "open_1": "Mira Muster, 16. Arbeitsgruppensitzung Klima, Do 21.1.2027",
    "link_open_1": "https://termine.example.org/a/" + "x7" * 26,
    "own_1": "Mira Muster, Ihr persönlicher Kalender (Abo-Adresse)",
    "link_own_1": "https://termine.example.org/k/" + "m8" * 26 + ".ics",
    "own_2": "Mira Muster, Auswahl für den Kalender",
    "link_own_2": "https://termine.example.org/k/" + "m8" * 26,
}
# Letters to the office say in their subject what they are about.
HEADINGS = {"alarm": "Mailserver lehnt uns ab", "reply_forwarded": "Mira Muster, 16. AG Klima"}
OFFICE_VALUES = {
    "facts": "Person: Mira Muster, Stadt Gotha\nSitzung: 16. AG Klima, Do 21.1.2027",
    "lines": "Leider bin ich im Urlaub.",
    "link_office": "https://termine.example.org/buero/antworten",
}
WEEK = Week(date(2027, 1, 4), asks=2, has_coming=True, has_changes=True)
DIGEST_VALUES = {
    "name": "Mira Muster",
    "link_preferences": PLAIN_VALUES["link_preferences"],
    "link_unsubscribe": PLAIN_VALUES["link_unsubscribe"],
    "open_a": "16. Arbeitsgruppensitzung Klima\nDo 21.1.2027, 10:00 Uhr (bis Do 14.1.2027)",
    "open_b": "6. Bündnistreffen\nDi 16.3.2027, 13:00 Uhr",
    "link_open_a": "https://termine.example.org/a/" + "x7" * 26,
    "link_open_b": "https://termine.example.org/a/" + "y7" * 26,
    "changes": "Abgesagt: 4. Arbeitsgruppensitzung Leerstand, Mi 20.1.2027, 9:00 Uhr",
    "coming": "16. Arbeitsgruppensitzung Klima\n"
    "Do 21.1.2027, 10:00 Uhr, Rathaus, Erfurt (Ihre Antwort: vor Ort)",
}
EVERY = [*OCCASIONS, *SUMMARIES, *JOINT, *PLAIN, *LOST, *HEADINGS, "digest"]


def a_test_letter(locale: str) -> Sample:
    """Return the invitation as a test letter to whoever tries it."""
    words, _ = words_of("invitation_buttons", locale)
    text, html = wording.write_text(words), wording.write_html(words)
    occasion = an_occasion("invitation", locale)
    voice = describing.Voice(locale, occasion.public_url, Organiser("Büro", "termine@example.org"))
    shown = ShownLetter(
        kind="invitation",
        locale=locale,
        subject=words.subject,
        text=text,
        draft=Draft(words.subject, text, html),
        standing=Standing(way=CalendarWay.BUTTONS),
        entry=describing.invited_entry(occasion.meeting, voice),
    )
    return sampling.sample(shown, occasion.public_url, UUID(int=7))


def words_of(name: str, locale: str) -> tuple[Words, Mapping[str, str]]:
    """Return the words of a letter, and what stands in its slots."""
    if name in {*PLAIN, *LOST, *HEADINGS, "digest"}:
        return _plain_words(name, locale)
    if name in SUMMARIES:
        shape = SUMMARIES[name]
        occasion = an_occasion("summary", locale, is_late=shape.stage is summarising.Stage.OVER)
        return summarising.phrase(occasion, shape), VALUES
    if name in JOINT:
        return joint_letters.phrase(*a_joint_letter(name, locale)), VALUES
    given = dict(OCCASIONS[name])
    return phrasing.phrase(an_occasion(given.pop("kind"), locale, **given)), VALUES


def _plain_words(name: str, locale: str) -> tuple[Words, Mapping[str, str]]:
    """Return a letter that is about no single session."""
    address = "https://termine.example.org"
    if name == "digest":
        return plain_letters.phrase_digest(locale, OFFICE, address, WEEK), DIGEST_VALUES
    if name in LOST:
        words = plain_letters.phrase_lost_links(locale, OFFICE, address, LOST[name])
        return words, PLAIN_VALUES
    if name in HEADINGS:
        words = plain_letters.phrase_office(name, locale, OFFICE, address, HEADINGS[name])
        return words, OFFICE_VALUES
    return plain_letters.phrase(name, locale, OFFICE, address), PLAIN_VALUES


def filled(text: str, values: Mapping[str, str]) -> str:
    """Put the values into the slots."""
    return re.sub("⟦([a-z_0-9]+)⟧", lambda found: values[found[1]], text)


def html_of(name: str, locale: str = "de") -> str:
    """Return a letter's HTML part as it leaves."""
    if name == sampling.KIND:
        return a_test_letter(locale).html
    words, values = words_of(name, locale)
    escaped = {key: html.escape(value).replace("\n", "<br>\n") for key, value in values.items()}
    return filled(wording.write_html(words), escaped)
