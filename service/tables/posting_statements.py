"""The statements behind the mail log: letters with the names of what they are about."""

# A letter that was posted once more is repeated by its copy, so that two presses send one.
_IS_NEWEST = """(NOT EXISTS (
        SELECT FROM letter n WHERE {f}.recipient_id IS NOT NULL
            AND n.recipient_id = {f}.recipient_id AND n.created_at > {f}.created_at
            AND n.kind = {f}.kind AND n.cause = {f}.cause
            AND n.subject_id IS NOT DISTINCT FROM {f}.subject_id
    ) AND NOT EXISTS (
        SELECT FROM letter n WHERE {f}.recipient_id IS NULL AND n.recipient_id IS NULL
            AND n.created_at > {f}.created_at AND n.kind = {f}.kind AND n.cause = {f}.cause
    ))"""
# A copy goes to the person's second address.
_ADDRESS = "CASE WHEN l.kind = 'copy' THEN p.copy_email ELSE coalesce(p.email, a.email) END"
_PARTS = """FROM letter_subject s JOIN meeting t ON t.id = s.subject_id
        WHERE s.letter_id = l.id AND s.dropped_because IS NULL"""
# A letter about several sessions ends with the last of them, and names them all.
_ENDS = f"coalesce(m.ends_at, (SELECT max(t.ends_at) {_PARTS}))"
_TITLE = f"""coalesce(m.title, (
        SELECT string_agg(t.title, ', ' ORDER BY s.position) {_PARTS}))"""
# Refused for good, at once or by a report that came back, and not for the address: letters or we
# ourselves are unwelcome, or the letter does not fit. The codes are those of `statuses.BLAMELESS`.
REFUSED = r"""o.state = 'failed' AND (o.reason IN ('policy', 'content_refused', 'too_large')
    OR o.reason = 'bounced'
        AND o.last_enhanced ~ '^5\.(7\.\d+|1\.[78]|2\.3|3\.4|6\.\d+)$')"""
# $1 states, $2 session, $3 what to look for; None or "" stands for all. $4, where given, is the
# moment at which somebody could still do something about the letter. $5 kinds, $6 person, $7 what
# the recipient's server reported, $8 and $9 from when to before when it was written, $10 whether it
# was refused and not for the address.
_WANTED = f"""
FROM letter l
JOIN outbox o USING (id)
LEFT JOIN meeting m ON m.id = l.subject_id
LEFT JOIN person p ON p.id = l.recipient_id
LEFT JOIN account a ON a.id = l.recipient_id
WHERE ($1::text[] IS NULL OR o.state = ANY ($1))
    AND ($2::uuid IS NULL OR l.subject_id = $2 OR EXISTS (
        SELECT FROM letter_subject s WHERE s.letter_id = l.id AND s.subject_id = $2))
    AND ($3::text = '' OR strpos(lower(concat_ws(' ', p.full_name, a.full_name, m.title,
        l.to_addr, {_ADDRESS})), lower($3)) > 0)
    AND ($4::timestamptz IS NULL
        OR coalesce({_ENDS} > $4, true) AND {_IS_NEWEST.format(f="l")})
    AND ($5::text[] IS NULL OR l.kind = ANY ($5)) AND ($6::uuid IS NULL OR l.recipient_id = $6)
    AND ($7::text IS NULL OR o.dsn_state = $7)
    AND l.created_at >= coalesce($8::timestamptz, '-infinity')
    AND l.created_at < coalesce($9::timestamptz, 'infinity')
    AND (NOT $10::boolean OR {REFUSED})
"""
# Letters of one press were written at one instant: they stand in the order of names, and a copy
# behind what it is a copy of.
_NAME = "coalesce(p.sort_key, lower(a.full_name), '')"
_TIES = f"{_NAME}, l.kind = 'copy', l.id"
_COLUMNS = f"""
SELECT l.id, l.kind, l.created_at, l.subject_id, l.recipient_id, l.cause, l.to_addr, o.state,
    o.reason, o.attempts, o.next_attempt_at, o.expires_at, o.accepted_at, o.last_code, o.last_text,
    o.dsn_state AS report, {_TITLE} AS meeting_title, m.id AS meeting_id, p.id AS person_id,
    coalesce(p.full_name, a.full_name, '') AS name, {_NAME} AS sort_name,
    coalesce(l.to_addr, {_ADDRESS}, '') AS address, coalesce({_ADDRESS}, '') AS current_address
"""
_SHOWN = f"""
SELECT f.id, f.kind, f.created_at, f.state, f.reason, f.attempts, f.next_attempt_at, f.expires_at,
    f.accepted_at, f.last_code, f.last_text, f.report, f.meeting_title, f.meeting_id, f.person_id,
    f.name, f.address, f.current_address, (
        SELECT started_at FROM mail_attempt WHERE letter_id = f.id ORDER BY id DESC LIMIT 1
    ) AS tried_at, (
        SELECT i.id FROM invitation i
        WHERE i.meeting_id = f.meeting_id AND i.person_id = f.person_id
    ) AS invitation_id, {_IS_NEWEST.format(f="f")} AS is_newest
FROM found f ORDER BY f.created_at DESC, f.sort_name, f.kind = 'copy', f.id
"""
LETTERS = f"""
WITH found AS MATERIALIZED (
    {_COLUMNS} {_WANTED} ORDER BY l.created_at DESC, {_TIES} LIMIT $11 OFFSET $12)
{_SHOWN}
"""
# Where one letter stands in that order: whatever is posted or settled meanwhile, the pages before
# and behind it go on from there.
_PLACE = f"""
place AS MATERIALIZED (
    SELECT l.created_at, {_NAME} AS sort_name, l.kind = 'copy' AS is_copy, l.id
    FROM letter l
    LEFT JOIN person p ON p.id = l.recipient_id
    LEFT JOIN account a ON a.id = l.recipient_id
    WHERE l.id = {{letter}})
"""
_WRITTEN_THEN = "(SELECT created_at FROM place)"
_TIES_THEN = "(SELECT sort_name, is_copy, id FROM place)"
_BEHIND = f"""l.created_at <= {_WRITTEN_THEN}
    AND (l.created_at < {_WRITTEN_THEN} OR ({_TIES}) > {_TIES_THEN})"""
_BEFORE = f"""l.created_at >= {_WRITTEN_THEN}
    AND (l.created_at > {_WRITTEN_THEN} OR ({_TIES}) < {_TIES_THEN})"""
_BACKWARDS = f"{_NAME} DESC, l.kind = 'copy' DESC, l.id DESC"
LETTERS_BEHIND = f"""
WITH {_PLACE.format(letter="$12")}, found AS MATERIALIZED (
    {_COLUMNS} {_WANTED} AND {_BEHIND} ORDER BY l.created_at DESC, {_TIES} LIMIT $11)
{_SHOWN}
"""
LETTERS_BEFORE = f"""
WITH {_PLACE.format(letter="$12")}, found AS MATERIALIZED (
    {_COLUMNS} {_WANTED} AND {_BEFORE} ORDER BY l.created_at, {_BACKWARDS} LIMIT $11)
{_SHOWN}
"""
COUNT_BEFORE = f"WITH {_PLACE.format(letter='$11')} SELECT count(*) {_WANTED} AND {_BEFORE}"
COUNT = f"SELECT count(*) {_WANTED}"
LETTER = f"""
WITH found AS ({_COLUMNS} {_WANTED.replace("WHERE ($1", "WHERE l.id = $11 AND ($1")})
{_SHOWN}
"""
CHOSEN = f"""
WITH found AS ({_COLUMNS} {_WANTED.replace("WHERE ($1", "WHERE l.id = ANY ($11::uuid[]) AND ($1")})
{_SHOWN}
"""
LOCK = "SELECT FROM outbox WHERE id = $1 FOR UPDATE"
# That of the last session of a letter about several.
STARTS = """
SELECT max(m.starts_at) FROM letter_about l JOIN meeting m ON m.id = l.subject_id
WHERE l.letter_id = $1
"""
# Sessions whose letters may still be there, the nearest to today first.
SESSIONS = """
SELECT id, title FROM meeting WHERE published_at IS NOT NULL
    AND (starts_at IS NULL OR starts_at > $1::timestamptz - interval '120 days')
ORDER BY abs(extract(epoch FROM starts_at - $1)) NULLS LAST, id LIMIT 200
"""
RESTORED = """
SELECT id FROM outbox WHERE state = 'held' AND reason = 'restored'
    AND ($1::uuid[] IS NULL OR id = ANY ($1)) FOR UPDATE
"""
# The statement of the log, with a condition more and the oldest first.
RESTORED_LETTERS = f"""
WITH found AS MATERIALIZED (
    {_COLUMNS} {_WANTED} AND o.reason = 'restored' ORDER BY l.created_at, {_TIES} LIMIT $11)
{_SHOWN.replace("ORDER BY f.created_at DESC", "ORDER BY f.created_at")}
"""
RESTORED_COUNT = "SELECT count(*) FROM outbox WHERE state = 'held' AND reason = 'restored'"
PERSON = "SELECT full_name FROM person WHERE id = $1 AND anonymised_at IS NULL"
# What a letter was made of, as long as that is kept.
WRITTEN = """
SELECT p.segments, l.slot_values, l.to_name, l.to_addr, l.dated_at
FROM letter l JOIN prototype p ON p.sha256 = l.prototype_sha256
WHERE l.id = $1 AND l.slot_values IS NOT NULL AND l.to_addr IS NOT NULL AND l.dated_at IS NOT NULL
"""
