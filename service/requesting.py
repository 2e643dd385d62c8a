"""Invitations that calendar programs answer: REQUEST and CANCEL, and what differs by recipient.

The way is fixed with a person's first letter about a session: what began as REQUEST is updated by
REQUEST and ended by CANCEL. While the ear is deaf they leave without a question, and name the
office's own mailbox.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from asyncpg import Connection

from calendars import invitation
from calendars.entry import Attendee, Entry, Organiser, Status
from calendars.invitation import Gaps, Method, ReplyTo
from notifications import outbox
from notifications.outbox import NewLetter
from service import describing, finding, probing, relaying
from service.database import Database
from service.domain.words import Answer, State
from service.finding import InvitationView
from service.furnishing import InstanceData
from service.settings import Settings
from service.tokens import Keys

GAPS = Gaps(stamped_at="calendar_stamp", attendee="calendar_attendee", token="reply_token")  # noqa: S106 - the name of a gap
REMOVAL = "entry_removed"
UPDATE = "entry_update"
"""Brings nothing but the entry, where the words stand in a letter about several sessions."""

_LIFE = timedelta(days=3)
SECRETS = frozenset({GAPS.token})
# A decliner gets no update, but what falls out leaves every calendar.
_CANCELS = frozenset({"cancellation", "postponed", "uninvited", REMOVAL})
_REQUESTS = frozenset({"invitation", "date_confirmed", "change", "uncancellation"})


# Letters bear the moment at which their transaction began: this finds those of this very one.
_FOLDED = """
FROM letter l
JOIN letter_subject s ON s.letter_id = l.id
JOIN invitation i ON i.meeting_id = s.subject_id AND i.person_id = l.recipient_id
"""
_AS_FILES = """
UPDATE invitation i SET channel = 'publish'
FROM letter l JOIN letter_subject s ON s.letter_id = l.id
WHERE l.created_at = now() AND s.kind = 'invitation' AND i.channel = 'request'
    AND i.meeting_id = s.subject_id AND i.person_id = l.recipient_id AND i.invited_at = $1
"""
_EAR = "SELECT way, heard_at FROM ear"
_UPDATES = f"""
SELECT 'ent:' || l.id || ':' || s.subject_id, '{UPDATE}', l.recipient_id, s.subject_id,
    s.subject_rev, s.time_rev, l.recipient_id || ':' || s.subject_id, l.locale,
    s.cause || jsonb_build_object('updates', s.kind), o.priority, o.next_attempt_at, o.expires_at,
    o.recipient_domain
{_FOLDED} JOIN outbox o ON o.id = l.id
WHERE l.created_at = now() AND l.kind <> 'copy' AND i.channel = 'request'
    AND (s.kind = ANY ($1::text[])
        OR s.kind = ANY ($2::text[]) AND i.answer IS DISTINCT FROM 'declined')
"""


class CalendarWay(StrEnum):
    """How an entry goes to a person: as a file, with buttons, or with buttons that rest."""

    FILE = "file"
    BUTTONS = "buttons"
    RESTING = "resting"


@dataclass(frozen=True, slots=True)
class Ear:
    """On which way answers of calendar programs were heard last, and when."""

    way: str | None = None
    heard_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """The calendar part of a draft, and where replies to the letter go; None for the office."""

    content: bytes
    method: str
    reply_to: str | None = None


def way_of(row: Mapping[str, Any], settings: Settings, now: datetime) -> CalendarWay:
    """Return how the entry goes to this person now; the row is that of a letter."""
    if row["channel"] != "request" or row["is_copy"]:
        return CalendarWay.FILE
    is_open = probing.is_set_up(settings) and row["ear_way"] == settings.imip_address
    hears = is_open and probing.hears(row["ear_heard_at"], now)
    return CalendarWay.BUTTONS if hears else CalendarWay.RESTING


async def read_ear(connection: "Connection[Any]") -> Ear:
    """Return how the ear stands."""
    row = await connection.fetchrow(_EAR)
    return Ear() if row is None else Ear(row["way"], row["heard_at"])


def way_to(channel: str | None, ear: Ear, settings: Settings, now: datetime) -> CalendarWay:
    """Return how the entry would go now; a `channel` of None is settled by this very letter."""
    if channel is None:
        channel = "request" if probing.hears(ear.heard_at, now) else "publish"
    row = {"channel": channel, "is_copy": False, "ear_way": ear.way, "ear_heard_at": ear.heard_at}
    return way_of(row, settings, now)


def fill_gaps(row: Mapping[str, Any], keys: Keys, way: CalendarWay) -> dict[str, str]:
    """Return what differs by recipient; the token among it is never stored.

    The time of the object is that of the letter, so that the same bytes leave again.
    """
    if way is CalendarWay.FILE:
        return {}
    answer = Answer(row["answer"]) if row["answer"] and row["holds"] else None
    attendee = Attendee(
        row["person_name"],
        row["person_email"],
        describing.partstat(answer),
        rsvp=way is CalendarWay.BUTTONS and row["meeting_state"] == State.CONFIRMED,
    )
    return {
        GAPS.stamped_at: invitation.write_stamp(row["created_at"]),
        GAPS.attendee: invitation.write_attendee(attendee),
        GAPS.token: probing.derive_token(keys, row["handle"]),
    }


def write_part(
    entry: Entry, kind: str, way: CalendarWay, settings: Settings, instance: InstanceData
) -> Part | None:
    """Write the entry for a letter of this kind; None where a program has nothing to learn."""
    if way is CalendarWay.FILE:
        return Part(invitation.render_download(entry), Method.PUBLISH)
    organiser = entry.organiser
    if organiser is None or kind not in _CANCELS | _REQUESTS:
        return None
    method = Method.CANCEL if kind in _CANCELS else Method.REQUEST
    if method is Method.REQUEST and entry.status is Status.CANCELLED:
        return None
    if kind == REMOVAL:
        # Newer than what the program has, and no number of the session's own.
        entry = replace(entry, sequence=entry.sequence + 1)
    office = relaying.office_address(settings, instance)
    reply_to = _reply_to(organiser, way, settings, office)
    content = invitation.render_template(entry, method, reply_to, GAPS)
    token = f"⟦{GAPS.token}⟧" if reply_to.takes_token else ""
    address = f"{reply_to.local}{token}@{reply_to.domain}"
    return Part(content, method, None if way is CalendarWay.RESTING else address)


async def follow_folded(connection: "Connection[Any]", now: datetime) -> None:
    """Let entries follow that the letters folded by this very transaction are about.

    An invitation among several brings its entry as a file. What went out with buttons is updated
    or ended by a letter of its own, or the entry would never move.
    """
    await connection.execute(_AS_FILES, now)
    await outbox.post_selected(connection, _UPDATES, list(_CANCELS), list(_REQUESTS))


async def remove_entry(database: Database, keys: Keys, token: str, now: datetime) -> bool:
    """Let a letter take the entry out of the calendar of whoever declined; False where none can.

    One leaves for each answer, however often it is asked for. Raise the link errors.
    """
    view = await finding.find_invitation(database, keys, token, now)
    if not can_remove(view):
        return False
    letter = NewLetter(
        dedupe_key=f"rem:{view.id}:{view.row['answer_rev']}",
        kind=REMOVAL,
        recipient_id=view.person_id,
        subject_id=view.meeting_id,
        ordering_key=f"{view.person_id}:{view.meeting_id}",
        not_before=now,
        expires_at=now + _LIFE,
        locale=view.locale,
        cause={"invitation": str(view.id)},
        priority=3,
        recipient_domain=view.row["email_domain"],
    )
    async with database.unit_of_work() as unit:
        await outbox.post(unit.connection, letter)
    return True


def can_remove(view: InvitationView) -> bool:
    """Tell whether the entry went out with buttons, and its reader does not come."""
    row = view.row
    is_sent = row["channel"] == "request" and row["has_email"]
    return bool(is_sent and view.answer is Answer.DECLINED)


def _reply_to(organiser: Organiser, way: CalendarWay, settings: Settings, office: str) -> ReplyTo:
    """Say who calls the meeting; while the ear is deaf a reply finds people at the office."""
    if way is not CalendarWay.BUTTONS:
        local, _, domain = office.rpartition("@")
        return ReplyTo(organiser.name, office, local, domain, takes_token=False)
    local, _, domain = probing.write_address(settings, "").rpartition("@")
    takes_token = probing.takes_tokens(settings)
    return ReplyTo(organiser.name, settings.mail_from, local, domain, takes_token)
