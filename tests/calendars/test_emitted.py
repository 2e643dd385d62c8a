"""The lint over every kind of calendar that we emit."""

from datetime import date, datetime

import pytest

from calendars.entry import Answer, Entry, Status
from calendars.feed import render_feed, tombstone
from calendars.fragment import render_fragment
from calendars.invitation import Method, render_download, render_invitation
from tests.calendars import lint
from tests.calendars.samples import (
    BERLIN,
    CHANGED_AT,
    MEMBER,
    OFFICE,
    TOKEN_OFFICE,
    a_profile,
    an_entry,
)

KINDS: dict[str, Entry] = {
    "confirmed": an_entry(),
    "tentative": an_entry(status=Status.TENTATIVE),
    "cancelled": an_entry(status=Status.CANCELLED, sequence=1),
    "one day": an_entry(starts=date(2027, 1, 21), ends=date(2027, 1, 21)),
    "three days": an_entry(starts=date(2027, 1, 21), ends=date(2027, 1, 23)),
    "repeated hour": an_entry(
        starts=datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1),
        ends=datetime(2026, 10, 25, 4, 0, tzinfo=BERLIN),
    ),
    "no words": an_entry(location="", description="", url="", categories=(), organiser=None),
}
PERSONAL: dict[str, Entry] = {
    "online": an_entry(conference_url="https://meet.example.org/klima", attendee=MEMBER),
    "with alarm": an_entry(alarm_minutes=60, attendee=MEMBER),
    "declined": an_entry(attendee=MEMBER, status=Status.CANCELLED),
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_public_feed_of_each_kind_of_entry_is_clean(kind: str) -> None:
    clean: list[str] = []

    body = render_feed(a_profile(), [render_fragment(KINDS[kind])])

    assert clean == lint.find_defects(body, public=True)


@pytest.mark.parametrize("kind", PERSONAL)
def test_a_personal_feed_of_each_kind_of_entry_is_clean(kind: str) -> None:
    clean: list[str] = []

    body = render_feed(a_profile(), [render_fragment(PERSONAL[kind])])

    assert clean == lint.find_defects(body)


def test_the_tombstone_of_a_feed_is_clean() -> None:
    clean: list[str] = []

    body = tombstone(a_profile(), "Abonnement beendet", date(2027, 1, 21), organiser=OFFICE)

    assert clean == lint.find_defects(body, public=True)


@pytest.mark.parametrize(
    ("method", "kind"),
    [(Method.CANCEL, kind) for kind in KINDS]
    + [(Method.REQUEST, kind) for kind in KINDS if kind != "cancelled"],
)
def test_a_calendar_part_of_each_kind_is_clean(method: Method, kind: str) -> None:
    clean: list[str] = []
    entry = an_entry(
        **{
            name: getattr(KINDS[kind], name)
            for name in ("starts", "ends", "status", "location", "description", "url")
        },
        organiser=TOKEN_OFFICE,
        attendee=MEMBER,
    )

    body = render_invitation(entry, method, CHANGED_AT)

    assert clean == lint.find_defects(body)


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_to_take_along_of_each_kind_names_nobody(kind: str) -> None:
    expected = ["METHOD in a public feed"]

    body = render_download(KINDS[kind])

    assert expected == lint.find_defects(body, public=True)


@pytest.mark.parametrize("answer", list(Answer))
def test_a_request_with_each_answer_is_clean(answer: Answer) -> None:
    clean: list[str] = []
    member = type(MEMBER)(MEMBER.name, MEMBER.email, answer, rsvp=True)

    body = render_invitation(
        an_entry(organiser=TOKEN_OFFICE, attendee=member), Method.REQUEST, CHANGED_AT
    )

    assert clean == lint.find_defects(body)
