"""Letters about several sessions without a database, as their writer takes them."""

from datetime import timedelta
from typing import Any

from service.domain.preferences import Topic
from service.domain.words import State
from service.joint_letters import Whole
from service.occasions import Occasion
from tests.occasions import ENDS, MOVED, OFFICE, STARTS, STOOD, an_occasion, facts


def _session(number: int, **more: Any) -> dict[str, Any]:
    """Return an occasion of another session, some weeks later."""
    title, weeks = f"{15 + number}. Arbeitsgruppensitzung Klima", timedelta(weeks=4 * number - 4)
    given = {"title": title, "starts_local": STARTS + weeks, "ends_local": ENDS + weeks}
    given["answer_by_local"] = STARTS + weeks - timedelta(days=7)
    meeting = {"slug": f"{15 + number}-arbeitsgruppensitzung-klima", **more.pop("meeting", {})}
    return {"now_facts": facts(**given | more.pop("facts", {})), "meeting": meeting, **more}


_CALLED_OFF = _session(
    2,
    kind="cancellation",
    facts={"state": State.CANCELLED},
    meeting={"cancel_reason": "Die Vorsitzende ist erkrankt."},
    message="Die Vorsitzende ist erkrankt.",
)
_INVITED = [_session(number, kind="invitation") for number in (1, 2, 3)]

# Letters about several sessions: which one, and its parts in order.
JOINT: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "several": (
        {"kind": "several", "files": 3},
        [
            {
                **_session(1, kind="change"),
                "now_facts": MOVED,
                "before": facts(),
                "stance": "in_person",
                "message": "Der Saal ist am 21. Januar nicht frei.",
            },
            _CALLED_OFF,
            _session(3, kind="invitation"),
        ],
    ),
    "several_one_left": ({"kind": "several", "files": 1}, [_CALLED_OFF]),
    "several_other_news": (
        {"kind": "several", "files": 2},
        [
            _session(1, kind="date_confirmed", stance="online", holds=True),
            _session(
                2,
                kind="postponed",
                facts={"state": State.POSTPONED, "starts_local": None, "ends_local": None},
                meeting=STOOD,
                message="Die Förderrichtlinie liegt noch nicht vor.",
            ),
            _session(3, kind="uncancellation", stance="in_person", holds=True),
            _session(4, kind="uninvited"),
        ],
    ),
    "several_invitations": ({"kind": "several", "files": 3}, _INVITED),
    "welcome": ({"kind": "welcome", "files": 3, "is_first": True}, _INVITED),
    "reminders": (
        {"kind": "reminders", "topic": Topic.REMINDERS},
        [
            _session(1, kind="reminder", stance="represented", holds=True, has_deputy=True),
            _session(2, kind="nudge"),
            _session(3, kind="nudge", is_late=True),
            _session(4, kind="reminder", stance="in_person", leads=True),
        ],
    ),
    "reminders_of_open_answers": (
        {"kind": "reminders", "topic": Topic.NUDGES},
        [_session(n, kind="nudge") for n in (1, 2)],
    ),
    "farewell": ({"kind": "farewell"}, [_session(n, kind="uninvited") for n in (1, 2)]),
}


def a_joint_letter(name: str, locale: str) -> tuple[Whole, list[Occasion]]:
    """Return a letter about several sessions as its writer takes it."""
    whole, parts = JOINT[name]
    found = [
        an_occasion(
            part["kind"],
            locale,
            slot=f"_{place}",
            **{key: value for key, value in part.items() if key != "kind"},
        )
        for place, part in enumerate(parts, 1)
    ]
    return Whole(locale=locale, instance=OFFICE, **whole), found
