"""The statements that save meetings; every counter rises in the statement that changes the row."""

from typing import Any, Final

from service.domain.changes import MeetingFacts
from service.tables import facts
from service.tables.invitation_statements import SEATED

_FORM_COLUMNS: Final = (
    "title",
    "is_numbered",
    "date_precision",
    "starts_local",
    "ends_local",
    "time_zone",
    "starts_at",
    "ends_at",
    "mode",
    "place_name",
    "room",
    "street",
    "town",
    "place_access",
    "online_url",
    "dial_in",
    "capacity",
    "answer_by",
    "answer_by_local",
    "visibility",
    "description",
    "agenda",
    "chair",
    "organiser",
    "outward_url",
    "audience",
    "extra_emails",
    "seats_per_partner",
)

# The lock makes a second editor, a second press and the expansion of a notice wait their turn.
LOCK = """
SELECT meeting.*, coalesce((
    SELECT array_agg(group_id ORDER BY position, group_id) FROM meeting_group
    WHERE meeting_id = meeting.id), '{}') AS group_ids, coalesce((
    SELECT array_agg(person_id) FROM meeting_audience
    WHERE meeting_id = meeting.id), '{}') AS audience_ids
FROM meeting WHERE id = $1 FOR UPDATE OF meeting
"""
FIND = LOCK.replace(" FOR UPDATE OF meeting", "")

INSERT_DRAFT = f"""
INSERT INTO meeting (id, created_by, saved_by, saved_at, created_at, changed_at, stamped_at,
    {", ".join(_FORM_COLUMNS)})
VALUES ($1, $2, $3, $4, date_trunc('second', $4::timestamptz),
    date_trunc('second', $4::timestamptz), date_trunc('second', $4::timestamptz),
    {", ".join(f"${number}" for number in range(5, 5 + len(_FORM_COLUMNS)))})
ON CONFLICT (id) DO NOTHING
RETURNING id
"""

# $1 id, $2 the revision that was looked at, $3 who, $4 now; then the new state, whether sequence
# and time_rev rise, what is known of a cancellation and of a date given up; then the form.
_SAVE_FIRST = 12
SAVE = f"""
UPDATE meeting SET revision = revision + 1,
    saved_by = $3, saved_at = $4,
    changed_at = greatest(date_trunc('second', $4::timestamptz), changed_at + interval '1 second'),
    stamped_at = greatest(date_trunc('second', $4::timestamptz), stamped_at + interval '1 second'),
    state = $5, sequence = sequence + $6::int, time_rev = time_rev + $7::int,
    cancel_reason = $8, number_kept = $9, cancelled_from = $10,
    previous_starts_local = CASE WHEN $11 THEN starts_local WHEN $5 IN ('postponed', 'cancelled')
        THEN previous_starts_local END,
    previous_ends_local = CASE WHEN $11 THEN ends_local WHEN $5 IN ('postponed', 'cancelled')
        THEN previous_ends_local END,
    published_at = CASE WHEN $5 <> 'draft' THEN coalesce(published_at, $4) END,
    {", ".join(f"{name} = ${n}" for n, name in enumerate(_FORM_COLUMNS, _SAVE_FIRST))}
WHERE id = $1 AND revision = $2
RETURNING revision
"""

SET_OVERRIDES = """
UPDATE meeting SET kept_answers = $2, asked_again_at = $3
WHERE id = $1 AND (kept_answers, asked_again_at) IS DISTINCT FROM ($2::jsonb, $3::timestamptz)
"""

# One hour after the end the clock says that a confirmed meeting took place.
HOLD_FINISHED = """
UPDATE meeting SET state = 'held', held_at = $1, revision = revision + 1,
    changed_at = greatest(date_trunc('second', $1::timestamptz), changed_at + interval '1 second')
WHERE id IN (
    SELECT id FROM meeting WHERE state = 'confirmed' AND ends_at <= $2
    ORDER BY ends_at LIMIT 200 FOR UPDATE SKIP LOCKED) AND state = 'confirmed' AND ends_at <= $2
RETURNING id
"""

# What lies behind us happened when it happened, whatever the zone's rules say now.
COMING = f"""
SELECT m.id, {facts.COLUMNS}, m.starts_at, m.ends_at, m.answer_by FROM meeting m
WHERE m.ends_at > $1
"""
DERIVE = """
UPDATE meeting SET starts_at = $2, ends_at = $3, answer_by = $4
WHERE id = $1 AND (starts_local, ends_local, answer_by_local, time_zone)
    IS NOT DISTINCT FROM ($5, $6, $7, $8)
RETURNING id
"""

# Taking an invitation back needs a higher SEQUENCE (RFC 5546 section 3.2.2.6).
RAISE_SEQUENCE = """
UPDATE meeting SET revision = revision + 1, sequence = sequence + 1,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second'),
    stamped_at = greatest(date_trunc('second', $2::timestamptz), stamped_at + interval '1 second')
WHERE id = $1
RETURNING revision
"""

DELETE_DRAFT = "DELETE FROM meeting WHERE id = $1 AND state = 'draft' RETURNING id"

FORGET_GROUPS = """
DELETE FROM meeting_group WHERE meeting_id = $1 AND group_id <> ALL ($2::uuid[]) AND number IS NULL
"""
SET_GROUPS = """
INSERT INTO meeting_group (meeting_id, group_id, position)
SELECT $1, group_id, position - 1
FROM unnest($2::uuid[]) WITH ORDINALITY AS wanted (group_id, position)
ON CONFLICT (meeting_id, group_id) DO UPDATE SET position = excluded.position
"""
# Whoever is taken off the list before the invitation left is not asked; members of the groups are
# planned again where the whole group is asked.
FORGET_AUDIENCE = """
WITH gone AS (
    DELETE FROM meeting_audience WHERE meeting_id = $1 AND person_id <> ALL ($2::uuid[])
    RETURNING person_id)
DELETE FROM invitation i USING gone
WHERE i.meeting_id = $1 AND i.person_id = gone.person_id AND i.state = 'planned'
    AND i.answer IS NULL
"""
SET_AUDIENCE = """
INSERT INTO meeting_audience (meeting_id, person_id)
SELECT $1, id FROM person WHERE id = ANY ($2::uuid[]) AND anonymised_at IS NULL
ON CONFLICT DO NOTHING
RETURNING person_id
"""
LEAVE_AUDIENCE = "DELETE FROM meeting_audience WHERE meeting_id = $1 AND person_id = $2"
NUMBERS = """
SELECT group_id, number FROM meeting_group WHERE meeting_id = $1 ORDER BY position, group_id
"""

# The next number that nobody has: imports may have brought later ones. A concurrent drawer waits
# for this row and then starts at the raised counter.
DRAW_NUMBER = """
UPDATE working_group g SET next_number = 1 + (
    SELECT min(n) FROM generate_series(g.next_number, g.next_number + 10000) n
    WHERE NOT EXISTS (SELECT FROM meeting_group x WHERE x.group_id = g.id AND x.number = n))
WHERE id = $1 AND next_number IS NOT NULL
RETURNING next_number - 1
"""
TAKE_NUMBER = """
UPDATE working_group SET next_number = greatest(next_number, $2::int + 1)
WHERE id = $1 AND next_number IS NOT NULL
RETURNING id
"""
WHO_HAS_NUMBER = """
SELECT meeting.title FROM meeting_group JOIN meeting ON meeting.id = meeting_id
WHERE group_id = $1 AND number = $2 AND meeting_id <> $3
"""
SET_NUMBER = "UPDATE meeting_group SET number = $3 WHERE meeting_id = $1 AND group_id = $2"
SET_TITLE_AND_SLUG = """
UPDATE meeting SET title = $2, slug = $3 WHERE id = $1 AND slug IS NULL RETURNING slug
"""

# The row of the seats is replaced, not updated: an answer that waits for it read the old limit; it
# then finds no row, stores nothing and looks again. The count is a statement of its own, because
# one that waits does not see what it waited for.
DROP_SEATS = "DELETE FROM meeting_seats WHERE meeting_id = $1"
COUNT_SEATS = f"""
INSERT INTO meeting_seats (meeting_id, taken, by_partner) {SEATED}
ON CONFLICT (meeting_id) DO UPDATE SET taken = excluded.taken, by_partner = excluded.by_partner
RETURNING taken, by_partner
"""


def form_values(values: MeetingFacts, **others: Any) -> tuple[Any, ...]:
    """Return the values of the form's columns, in their order; `others` are no rule's business."""
    columns = {
        "title": values.title,
        "date_precision": values.precision,
        "starts_local": values.starts_local,
        "ends_local": values.ends_local,
        "time_zone": values.zone,
        "starts_at": values.starts_at,
        "ends_at": values.ends_at,
        "mode": values.mode,
        "place_name": values.place_name,
        "room": values.room,
        "street": values.street,
        "town": values.town,
        "place_access": values.place_access,
        "online_url": values.online_url,
        "dial_in": values.dial_in,
        "capacity": values.capacity,
        "answer_by": values.answer_by_at,
        "answer_by_local": values.answer_by_local,
        "visibility": values.visibility,
        "description": values.description,
        "agenda": values.agenda,
    } | others
    return tuple(columns[name] for name in _FORM_COLUMNS)
