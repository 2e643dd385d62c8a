"""Occasions of letters without a database: a session of a working group, and what came of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from service.domain.changes import MeetingFacts
from service.domain.shown import GroupName, ShownMeeting
from service.domain.words import Mode, Precision, State, Visibility
from service.furnishing import InstanceData
from service.occasions import LAST_CALL, Occasion
from service.requesting import CalendarWay
from service.summarising import Count, Shape, Stage

STARTS = datetime(2027, 1, 21, 10, 0)  # noqa: DTZ001 - a wall time
ENDS = STARTS + timedelta(hours=2)
AT = datetime(2026, 12, 1, 8, 0, tzinfo=UTC)
ONLINE = "https://video.example.org/klima"
OFFICE = InstanceData(
    "Aktionsbündnis Innenstädte",
    office_name="Geschäftsstelle des Aktionsbündnisses",
    street="Mainzerhofstr. 12",
    postcode="99084",
    town="Erfurt",
    email="geschaeftsstelle@example.org",
    phone="+49 30 23125 100",
)
VALUES = {
    "name": "Mira Muster",
    "addressee": "Mira Muster, Stadtverwaltung Gotha",
    "deputy": "Jan Beispiel",
    "count_accepted": "12",
    "count_undecided": "2",
    "count_no_answer": "5",
    "count_declined": "1",
    "silent": "Stadtverwaltung Gotha\n– Mira Muster\n– Jan Beispiel\n\n"
    "Landkreis Sömmerda\n– Ute Probe",
    "undecided": "ohne Partner\n– Kim Vorlage",
    "unreached": "Landkreis Sömmerda\n– Ute Probe: letzte E-Mail kam nicht an",
    "planned": "Mo 18.1.2027, 9:00 Uhr\n– Erinnerung, etwa 12 E-Mails",
    "link_preferences": f"https://termine.example.org/b/{'q4' * 26}",
    **{
        f"link_unsubscribe{topic}": f"https://termine.example.org/u/{'u5' * 26}"
        for topic in ("", "_reminders", "_nudges")
    },
    **{
        f"link_{answer}": f"https://termine.example.org/a/{'x7' * 26}{way}"
        for answer, way in {
            "answer": "",
            "in_person": "?w=vor-ort",
            "online": "?w=online",
            "represented": "?w=vertretung",
            "declined": "?w=absage",
        }.items()
    },
}

VALUES |= {"deputy_1": "Jan Beispiel"} | {
    f"link_answer_{n}": f"https://termine.example.org/a/{'x7' * 25}{n}{n}" for n in range(1, 6)
}

_FACTS = MeetingFacts(
    state=State.CONFIRMED,
    title="16. Arbeitsgruppensitzung Klima",
    starts_local=STARTS,
    ends_local=ENDS,
    mode=Mode.HYBRID,
    place_name="Rathaus",
    room="Saal 1",
    street="Fischmarkt 1",
    town="Erfurt",
    place_access="Stufenfrei über den Hof",
    online_url=ONLINE,
    dial_in="+49 30 5550 4711, PIN 12",
    answer_by_local=datetime(2027, 1, 14, 12, 0),  # noqa: DTZ001 - a wall time
    description="Wir bereiten die Beschlüsse des Frühjahrs vor.",
    agenda="1. Begrüßung\n2. Förderrichtlinie: Stand und nächste Schritte, mit Aussprache und einer"
    " ersten Abstimmung\n3. Verschiedenes",
)


def facts(**more: Any) -> MeetingFacts:
    """Return the facts of the session; what is given wins."""
    return replace(_FACTS, **more)


def a_meeting(now: MeetingFacts, **more: Any) -> ShownMeeting:
    """Return the session as pages and calendars see it, with these facts."""
    values: dict[str, Any] = {
        "id": UUID(int=1),
        "uid": UUID(int=2),
        "slug": "16-arbeitsgruppensitzung-klima",
        "state": now.state,
        "date_precision": now.precision,
        "title": now.title,
        "starts_local": now.starts_local,
        "ends_local": now.ends_local,
        "time_zone": now.zone,
        "starts_at": now.starts_at,
        "ends_at": now.ends_at,
        "mode": now.mode,
        "answer_by_local": now.answer_by_local,
        "visibility": Visibility.PUBLIC,
        "chair": "",
        "organiser": "",
        "outward_url": "",
        "cancel_reason": "",
        "previous_starts_local": None,
        "previous_ends_local": None,
        "revision": 3,
        "sequence": 1,
        "changed_at": AT,
        "created_at": AT,
        "sheet_saved_at": None,
        "groups": (GroupName("klima", "Arbeitsgruppe Klima", "groups"),),
    }
    same = ("place_name", "room", "street", "town", "place_access", "online_url", "dial_in")
    values |= {name: getattr(now, name) for name in (*same, "description", "agenda")}
    return ShownMeeting(**(values | more))


def an_occasion(kind: str, locale: str = "de", **more: Any) -> Occasion:
    """Return a letter's occasion; `meeting` may hold columns that differ from the facts."""
    now = more.pop("now_facts", _FACTS)
    values: dict[str, Any] = {
        "public_url": "https://termine.example.org",
        "meeting": a_meeting(now, **more.pop("meeting", {})),
        "now_facts": now,
        "instance": OFFICE,
        "has_calendar": True,
    }
    return Occasion(kind=kind, locale=locale, **(values | more))


_POSTPONED = facts(state=State.POSTPONED, starts_local=None, ends_local=None, answer_by_local=None)
STOOD = {"previous_starts_local": STARTS, "previous_ends_local": ENDS}
MOVED = facts(starts_local=STARTS + timedelta(days=7), ends_local=ENDS + timedelta(days=7))
_OTHER_ROOM = facts(room="Saal 2", place_access="")

# One entry a letter that reads differently; the golden samples are written from these.
OCCASIONS: dict[str, dict[str, Any]] = {
    "invitation": {"kind": "invitation", "is_first": True},
    "invitation_on_site": {
        "kind": "invitation",
        "now_facts": facts(
            mode=Mode.ON_SITE,
            online_url="",
            dial_in="",
            description="",
            agenda="",
            answer_by_local=None,
        ),
        "has_calendar": False,
    },
    "invitation_place_open": {
        "kind": "invitation",
        "now_facts": facts(
            **dict.fromkeys(("place_name", "room", "street", "town", "place_access"), ""),
            description="",
            agenda="",
        ),
    },
    "date_confirmed": {"kind": "date_confirmed", "stance": "online", "holds": True},
    "date_confirmed_moved": {
        "kind": "date_confirmed",
        "stance": "in_person",
        "before": facts(state=State.TENTATIVE),
        "now_facts": MOVED,
    },
    "nudge": {"kind": "nudge"},
    "nudge_again": {"kind": "nudge", "stance": "in_person"},
    "nudge_late": {"kind": "nudge", "is_late": True},
    "invitation_of_a_guest": {"kind": "invitation", "is_first": True, "has_partner": False},
    "invitation_late": {"kind": "invitation", "is_late": True},
    "reminder": {"kind": "reminder", "stance": "in_person", "holds": True},
    "reminder_undecided": {"kind": "reminder", "stance": "undecided", "holds": True},
    "reminder_undecided_late": {
        "kind": "reminder",
        "stance": "undecided",
        "holds": True,
        "is_late": True,
    },
    "reminder_represented": {
        "kind": "reminder",
        "stance": "represented",
        "holds": True,
        "has_deputy": True,
    },
    "reminder_for_a_lead": {
        "kind": "reminder",
        "stance": "online",
        "holds": True,
        "leads": True,
    },
    "reminder_for_a_lead_without_answer": {"kind": "reminder", "leads": True},
    "reminder_for_a_lead_asked_again": {"kind": "reminder", "stance": "in_person", "leads": True},
    "change_asks_again": {
        "kind": "change",
        "stance": "in_person",
        "before": facts(),
        "now_facts": MOVED,
        "message": "Der Saal ist am 21. Januar nicht frei.",
    },
    "change_no_answer": {"kind": "change", "before": facts(), "now_facts": MOVED},
    "change_declined": {
        "kind": "change",
        "stance": "declined",
        "before": facts(),
        "now_facts": MOVED,
        "has_calendar": False,
    },
    "change_of_room": {
        "kind": "change",
        "stance": "in_person",
        "holds": True,
        "before": facts(),
        "now_facts": _OTHER_ROOM,
    },
    "change_that_adds": {
        "kind": "change",
        "stance": "in_person",
        "holds": True,
        "before": facts(place_access="", dial_in="", answer_by_local=None),
    },
    "change_of_texts": {
        "kind": "change",
        "stance": "online",
        "holds": True,
        "before": facts(agenda="1. Begrüßung"),
    },
    "cancellation": {
        "kind": "cancellation",
        "now_facts": facts(state=State.CANCELLED),
        "meeting": {"cancel_reason": "Die Vorsitzende ist erkrankt."},
        "message": "Die Vorsitzende ist erkrankt.",
    },
    "postponed": {
        "kind": "postponed",
        "now_facts": _POSTPONED,
        "meeting": STOOD,
        "message": "Die Förderrichtlinie liegt noch nicht vor.",
    },
    "uncancellation": {"kind": "uncancellation", "stance": "in_person", "holds": True},
    "uncancellation_asks": {"kind": "uncancellation"},
    "uncancellation_tentative": {
        "kind": "uncancellation",
        "now_facts": facts(state=State.TENTATIVE, precision=Precision.MONTH),
        "has_calendar": False,
    },
    "uncancellation_postponed": {
        "kind": "uncancellation",
        "now_facts": _POSTPONED,
        "meeting": STOOD,
        "has_calendar": False,
    },
    "uninvited": {"kind": "uninvited"},
    "receipt": {
        "kind": "receipt",
        "stance": "represented",
        "holds": True,
        "has_deputy": True,
        "has_calendar": False,
    },
    "receipt_declined": {
        "kind": "receipt",
        "stance": "declined",
        "holds": True,
        "has_calendar": False,
    },
    "receipt_undecided": {"kind": "receipt", "stance": "undecided", "holds": True},
}


# What came with buttons, whose ear is deaf now, and what follows from answers of calendars.
_BUTTONS = {"way": CalendarWay.BUTTONS}
_RESTING = {"way": CalendarWay.RESTING}
_CANCELLED = OCCASIONS["cancellation"]
OCCASIONS |= {
    "invitation_buttons": {"kind": "invitation", "is_first": True, **_BUTTONS},
    "invitation_resting": {"kind": "invitation", **_RESTING},
    "date_confirmed_buttons": OCCASIONS["date_confirmed"] | _BUTTONS,
    "change_buttons": OCCASIONS["change_asks_again"] | _BUTTONS,
    "change_buttons_that_holds": OCCASIONS["change_of_room"] | _BUTTONS,
    "change_resting": OCCASIONS["change_asks_again"] | _RESTING,
    "change_resting_that_holds": OCCASIONS["change_of_room"] | _RESTING,
    "cancellation_buttons": _CANCELLED | _BUTTONS,
    "cancellation_resting": _CANCELLED | _RESTING,
    "postponed_buttons": OCCASIONS["postponed"] | _BUTTONS,
    "uncancellation_buttons": OCCASIONS["uncancellation"] | _BUTTONS,
    "uninvited_buttons": {"kind": "uninvited", **_BUTTONS},
    "nudge_buttons": {"kind": "nudge", "has_calendar": False, **_BUTTONS},
    "nudge_resting": {"kind": "nudge", "has_calendar": False, **_RESTING},
    "nudge_last_call": {"kind": "nudge", "because": LAST_CALL, "has_calendar": False},
    "nudge_last_call_no_deadline": {
        "kind": "nudge",
        "because": LAST_CALL,
        "has_calendar": False,
        "now_facts": facts(answer_by_local=None),
    },
    "entry_removed": {"kind": "entry_removed", **_BUTTONS},
    "entry_update": {"kind": "entry_update", "stance": "in_person", "holds": True, **_BUTTONS},
    "entry_update_cancelled": _CANCELLED | _BUTTONS | {"kind": "entry_update", "message": ""},
    "entry_update_uninvited": {"kind": "entry_update", "because": "uninvited", **_BUTTONS},
    "copy": {"kind": "invitation", "is_copy": True, "has_calendar": False},
    "copy_of_a_reminder": {
        "kind": "reminder",
        "stance": "in_person",
        "holds": True,
        "is_copy": True,
        "has_calendar": False,
    },
} | {
    f"answer_differs_{because}": {
        "kind": "answer_differs",
        "because": because,
        "stance": stance,
        "holds": holds,
        "has_calendar": because == "old_date",
        "is_late": because == "late",
        **_BUTTONS,
    }
    for because, stance, holds in (
        ("hybrid", "in_person", True),
        ("late", "declined", True),
        ("full", "", False),
        ("old_date", "in_person", False),
        ("unconfirmed", "", False),
    )
}


# What the office reads: all parts of it, and the shortest one.
SUMMARIES: dict[str, Shape] = {
    "summary": Shape(
        Stage.OVER,
        (
            Count("in_person", 10, 8),
            Count("online", 1, 1),
            Count("represented", 1, 1),
            Count("declined", 4, 4),
            Count("undecided", 1, 0),
            Count("none", 3, 2),
        ),
        frozenset({"silent", "undecided", "unreached", "planned"}),
    ),
    "summary_open": Shape(
        Stage.OPEN,
        (Count("in_person", 1, 1), Count("none", 0, 0)),
        frozenset(),
    ),
}
