"""SQL text of planning and expanding reminders."""

from datetime import timedelta

from service.domain.reminders import REMINDERS_APART
from service.tables import facts, summary_statements, wishes
from service.tables.invitation_statements import HOLDS, OFF_UNTOLD

# Why a slot was left out or waits, where a statement looks for it.
MERGED_IN_CHANGE = "merged_in_change"
QUIET_HOURS = "quiet_hours"

MEETING = f"""
SELECT {facts.COLUMNS}, m.time_rev, m.invited_at,
    coalesce(i.holiday_country, 'DE') AS holiday_country,
    coalesce(i.holiday_subdivision, 'TH') AS holiday_subdivision,
    ARRAY(SELECT group_id FROM meeting_group WHERE meeting_id = m.id) AS group_ids
FROM meeting m
LEFT JOIN instance i ON true
WHERE m.id = $1
"""

COMING = "SELECT id FROM meeting WHERE state = 'confirmed' AND ends_at > $1 ORDER BY starts_at"

# Editors update the row; a plan that runs beside them waits for what they decide.
LOCK_MEETING = "SELECT FROM meeting WHERE id = $1 FOR SHARE"

# Slots of former times, and of rules that no longer count.
CANCEL_OTHERS = """
UPDATE reminder_slot SET state = 'cancelled', reason = 'superseded'
WHERE meeting_id = $1 AND state = 'planned'
    AND (time_rev <> $2 OR rule_id <> ALL($3::uuid[]))
"""

CANCEL_ALL = """
UPDATE reminder_slot SET state = 'cancelled', reason = 'not_confirmed'
WHERE meeting_id = $1 AND state = 'planned'
"""

# What waits for the morning waits on, as long as its rule still says that it is overdue.
_WAITS_ON = f"""(s.state = 'planned' AND s.reason = '{QUIET_HOURS}' AND excluded.state = 'planned'
    AND excluded.due_at <= $8)"""
_DUE = f"CASE WHEN {_WAITS_ON} THEN s.due_at ELSE excluded.due_at END"

# A slot that has fired stays as it is, and so does one that was skipped or missed, unless its rule
# was changed and it now lies ahead; a planned or cancelled one follows. A summary ($9) comes again
# where what it sums up was put off, and a request for an answer ($10) where its deadline was.
# `computed_at` is when the present due time became that of this slot.
PUT_SLOT = f"""
INSERT INTO reminder_slot AS s
    (meeting_id, rule_id, time_rev, due_at, not_after, state, reason, computed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (meeting_id, rule_id, person_id, time_rev) DO UPDATE
SET due_at = {_DUE}, not_after = excluded.not_after, state = excluded.state,
    reason = CASE WHEN {_WAITS_ON} THEN s.reason ELSE excluded.reason END,
    computed_at = CASE WHEN s.state = 'planned' AND s.due_at = {_DUE} THEN s.computed_at
        ELSE excluded.computed_at END, letters = NULL
WHERE (s.state IN ('planned', 'cancelled')
    OR excluded.state = 'planned' AND excluded.due_at > $8 AND (
        s.state IN ('skipped', 'missed') AND ($9 OR s.due_at <> excluded.due_at)
        OR $9 AND excluded.due_at > s.due_at + interval '2 hours'
        OR $10 AND excluded.due_at > s.due_at + interval '20 hours'
            AND excluded.not_after > s.not_after))
  AND (s.due_at, s.not_after, s.state) IS DISTINCT FROM
      ({_DUE}, excluded.not_after, excluded.state)
"""

# What lies behind in the moment it is planned ($2) is not sent late; $3 says why, null lets it be
# sent. What the notice of a change ($4 its kinds) says is not said once more: rules of days that
# fall due within a day ($5) of it, rules of minutes those before it leaves. Summaries are never
# late: who puts a session in late sees it on the pages. $1 is the session; $6 is $2 or, where a
# change was undone before anybody was told, when it was made: what fell due since is sent.
SKIP_LATE = f"""
UPDATE reminder_slot s SET state = 'skipped', reason = CASE
    WHEN r.kind = 'summary' OR $3 = '{MERGED_IN_CHANGE}' AND told.at IS NULL THEN 'planned_late'
    ELSE $3 END
FROM reminder_rule r, (
    SELECT max(due_at) AS at FROM notice
    WHERE meeting_id = $1 AND state = 'pending' AND kind = ANY ($4::text[])
        AND person_ids IS NULL) told
WHERE s.meeting_id = $1 AND s.state = 'planned' AND s.computed_at = $2::timestamptz
    AND r.id = s.rule_id AND (r.kind = 'summary' OR $3::text IS NOT NULL)
    AND s.due_at <= CASE
        WHEN r.kind = 'summary' OR $3 <> '{MERGED_IN_CHANGE}' OR told.at IS NULL
            THEN $6::timestamptz
        WHEN r.minutes_before IS NULL THEN greatest($2, told.at) + $5::interval
        ELSE greatest($2, told.at) END
"""

# Since when a notice was waiting that this change ($2 its instant) made needless, but for those who
# were invited since: it leads back to what people know. $3 are the kinds of changes.
UNDONE_SINCE = """
SELECT min(created_at) FROM notice
WHERE meeting_id = $1 AND kind = ANY ($3::text[]) AND (state = 'unneeded' AND finished_at = $2
    OR state = 'pending' AND person_ids IS NOT NULL)
"""

# The notice of a change was taken back, so it says nothing. $1 is the session, $2 from when on
# slots are planned again, $3 since when the notice was waiting: what an earlier one has said stays
# said.
UNDO_MERGING = f"""
UPDATE reminder_slot s SET state = 'planned', reason = NULL
FROM meeting m
WHERE s.meeting_id = $1 AND s.state = 'skipped' AND s.reason = '{MERGED_IN_CHANGE}'
    AND s.due_at > $2 AND s.computed_at >= $3 AND m.id = s.meeting_id
    AND m.time_rev = s.time_rev AND m.state = 'confirmed'
"""

# Which of two slots is the older: slot {0}, rule {1}. Several that waited for one morning are due
# at one instant, and keep the order of their rules.
_ORDER = """({0}.due_at, -coalesce({1}.days_before, -1),
    coalesce({1}.at_local_time, '24:00'), {0}.id)"""
_IS_NEWER = f"{_ORDER.format('n', 'nr')} > {_ORDER.format('s', 'r')}"

# After a standstill only the newest overdue slot speaks to the same people about one session. While
# an editor has the session, its slots wait for the next run: whoever comes back to the list or
# leaves it meanwhile is found as they stand then.
CLAIM_SLOT = f"""
SELECT s.id, s.meeting_id, s.due_at, s.not_after, r.kind, r.minutes_before, EXISTS (
    SELECT FROM reminder_slot n
    JOIN reminder_rule nr ON nr.id = n.rule_id
    WHERE n.meeting_id = s.meeting_id AND n.time_rev = s.time_rev AND n.state = 'planned'
      AND nr.kind = r.kind AND n.due_at <= $1 AND NOT nr.is_choice AND NOT r.is_choice
      AND nr.audience @> r.audience AND (r.only_online OR NOT nr.only_online)
      AND n.person_id IS NOT DISTINCT FROM s.person_id
      AND {_IS_NEWER}) AS is_overtaken
FROM reminder_slot s
JOIN reminder_rule r ON r.id = s.rule_id
JOIN meeting m ON m.id = s.meeting_id
WHERE s.state = 'planned' AND s.due_at <= $1 AND s.id <> ALL ($2::uuid[])
ORDER BY {_ORDER.format("s", "r")}
LIMIT 1
FOR UPDATE OF s SKIP LOCKED FOR SHARE OF m SKIP LOCKED
"""

# It waits, and the page says until when and why.
PUT_OFF = f"""
UPDATE reminder_slot SET due_at = $2, reason = '{QUIET_HOURS}' WHERE id = $1
"""

# Letters that could not leave in time wait likewise: the clerk holds them.
RELEASE_WAITING = f"""
UPDATE outbox SET state = 'queued', reason = NULL, finished_at = NULL, next_attempt_at = now()
WHERE state = 'held' AND reason = '{QUIET_HOURS}'
RETURNING id
"""

FINISH_SLOT = "UPDATE reminder_slot SET state = $2, reason = $3, letters = $4 WHERE id = $1"

AUDIENCE = f"""
CASE WHEN i.answer IS NULL OR NOT {HOLDS} THEN 'no_answer'
     WHEN i.answer IN ('in_person', 'online', 'represented') THEN 'accepted'
     WHEN i.answer = 'undecided' THEN 'undecided'
     ELSE 'declined' END
"""

# Whether somebody (p) leads a group of a session (m) on its day.
LEADS = """EXISTS (
    SELECT FROM meeting_group led JOIN membership ls ON ls.group_id = led.group_id
    WHERE led.meeting_id = m.id AND ls.person_id = p.id AND ls.role = 'lead'
      AND ls.from_on <= m.starts_local::date
      AND (ls.to_on IS NULL OR ls.to_on >= m.starts_local::date))"""

# Whom a slot is for, by its rule and by their answer: slot {0}, rule {1}. A person who said no
# before a move is not pressed: the change notice asked once.
_CONCERNS = f"""(
    (i.state = 'invited' OR {OFF_UNTOLD})
    AND ({AUDIENCE} = ANY({{1}}.audience) OR 'lead' = ANY({{1}}.audience) AND {LEADS})
    AND i.answer IS DISTINCT FROM 'declined'
    AND ({{0}}.person_id IS NULL OR {{0}}.person_id = p.id)
    AND (NOT {{1}}.only_online OR m.mode = 'online' OR i.answer = 'online')
    AND (NOT {{1}}.is_choice OR {wishes.CHOSE.format("{1}")}))"""

# The letter of the invitation says what a rule of days would say within a day of it.
_LATELY = """CASE
    WHEN (i.invited_at <= {0}.due_at - make_interval(days => {1}.min_days_invited)) IS NOT TRUE
        THEN 'invited_lately'
    WHEN {1}.minutes_before IS NULL AND i.invited_at > {0}.due_at - interval '24 hours'
        THEN 'merged_in_invitation'
    END"""

# After a standstill several slots of a session may be due; each person gets only the newest one
# that is for them, whatever the older ones say.
_NEWER_IS_DUE = f"""
EXISTS (
    SELECT FROM reminder_slot n JOIN reminder_rule nr ON nr.id = n.rule_id
    WHERE n.meeting_id = s.meeting_id AND n.time_rev = s.time_rev AND n.state = 'planned'
      AND n.due_at <= {{0}} AND n.not_after > {{0}} AND {_IS_NEWER}
      AND {_CONCERNS.format("n", "nr")} AND {_LATELY.format("n", "nr")} IS NULL
      AND {wishes.REFUSAL.format("nr", "{0}")} IS NULL)
"""

# Which letters (l, o) count as reminders, and whether a person (p) had one about a session (m) so
# shortly before the instant {0} that nobody else is to press.
IS_REMINDER = "l.kind IN ('reminder', 'nudge') AND o.state NOT IN ('cancelled', 'expired')"
REMINDED_LATELY = f"""
EXISTS (
    SELECT FROM letter_about l JOIN outbox o ON o.id = l.letter_id
    WHERE l.recipient_id = p.id AND l.subject_id = m.id AND {IS_REMINDER}
      AND l.dropped_because IS NULL
      AND l.created_at > {{0}} - interval '{REMINDERS_APART // timedelta(hours=1)} hours')
"""
# Minute-based ones are exempt.
_TOO_SOON = f"(r.minutes_before IS NULL AND {REMINDED_LATELY})"

# Whoever is in many groups: a letter of this transaction beyond the fifth of a day goes into the
# joint one that waits or, where there is none, becomes one with the last that waits. It is the day
# of the office, by whose hours reminders leave.
_TODAY = f"date_trunc('day', now(), {wishes.OFFICE_ZONE})"
BEYOND = f"""
SELECT l.id, waiting.id AS other_id, waiting.kind AS other_kind
FROM letter l
JOIN outbox o USING (id)
CROSS JOIN LATERAL (
    SELECT e.id, e.kind FROM letter e JOIN outbox w USING (id)
    WHERE e.recipient_id = l.recipient_id AND e.id <> l.id
        AND e.kind IN ('reminder', 'nudge', 'reminders') AND w.state = 'queued'
        AND w.lease_token = 0 AND e.subject_id IS DISTINCT FROM l.subject_id
        AND e.created_at >= {_TODAY} AND e.created_at < now()
        AND NOT EXISTS (SELECT FROM letter_subject s
            WHERE s.letter_id = e.id AND s.subject_id = l.subject_id)
    ORDER BY e.kind = 'reminders' DESC, e.created_at DESC, e.id
    LIMIT 1 FOR UPDATE OF w SKIP LOCKED) waiting
WHERE l.created_at = now() AND l.kind IN ('reminder', 'nudge') AND o.state = 'queued'
    AND $1 <= (SELECT count(*) FROM letter e JOIN outbox w USING (id)
        WHERE e.recipient_id = l.recipient_id AND e.id <> l.id
            AND e.kind IN ('reminder', 'nudge', 'reminders')
            AND w.state IN ('queued', 'sending', 'uncertain', 'sent')
            AND e.created_at >= {_TODAY})
"""
# $1 letters that wait, $2 those that join them, pair by pair.
FOLD_BEYOND = """
SELECT l.id, 'reminders', 'cmb:reminders:'
        || md5(first.dedupe_key || ' ' || second.dedupe_key)::uuid || ':' || l.recipient_id,
    CASE WHEN l.id = first.id THEN 1 ELSE 2 END::smallint
FROM unnest($1::uuid[], $2::uuid[]) AS p (first_id, second_id)
JOIN letter first ON first.id = p.first_id
JOIN letter second ON second.id = p.second_id
JOIN letter l ON l.id IN (first.id, second.id)
"""

# Everybody whom a slot is for, and why one of them is left out at the instant {0}: whoever counts
# letters beforehand and whoever writes them ask this alone.
_WHOM = f"""
FROM invitation i
JOIN person p ON p.id = i.person_id
LEFT JOIN preference w ON w.person_id = p.id
CROSS JOIN LATERAL (SELECT CASE
    WHEN p.email IS NULL OR p.anonymised_at IS NOT NULL OR p.ended_on < current_date
        THEN 'no_address'
    ELSE coalesce({wishes.REFUSAL.format("r", "{0}")}, {_LATELY.format("s", "r")}, CASE
        WHEN {_NEWER_IS_DUE} THEN 'newer_is_due'
        WHEN {_TOO_SOON} THEN 'too_soon' WHEN i.state = 'uninvited' THEN 'uninvited' END) END
    AS reason) left_out
WHERE i.meeting_id = m.id AND {_CONCERNS.format("s", "r")}
"""

# The last request before the deadline says that it is that.
_BECAUSE = """CASE WHEN r.kind = 'nudge' AND r.anchor = 'answer_by' AND NOT EXISTS (
    SELECT FROM reminder_slot n JOIN reminder_rule nr ON nr.id = n.rule_id
    WHERE n.meeting_id = s.meeting_id AND n.time_rev = s.time_rev AND n.state = 'planned'
        AND nr.kind = 'nudge' AND n.id <> s.id AND n.due_at > s.due_at)
    THEN jsonb_build_object('because', 'last_call') ELSE '{}' END"""

# A deadline that is put off is asked for anew, so its instant is part of the key. Letters of an
# earlier version have a key without it, and expire at the deadline that they spoke of. As a value
# that is one look by the key; as a condition, all letters were read for each person.
_OF_ONE_RULE = "m.id || ':' || r.id || ':' || s.time_rev || ':'"
_KEY = f"""CASE WHEN r.kind <> 'nudge' THEN 'rem:' || {_OF_ONE_RULE} || found.person_id
    WHEN r.anchor <> 'answer_by' OR s.not_after = (
        SELECT waiting.expires_at FROM letter old JOIN outbox waiting USING (id)
        WHERE old.dedupe_key = 'ndg:' || {_OF_ONE_RULE} || found.person_id)
        THEN 'ndg:' || {_OF_ONE_RULE} || found.person_id
    ELSE 'ndg:' || {_OF_ONE_RULE} || extract(epoch FROM s.not_after)::bigint || ':'
        || found.person_id END"""

# $1 is the slot, $2 the present instant.
EXPAND = f"""
SELECT {_KEY},
    r.kind, found.person_id, m.id, m.revision, s.time_rev, found.person_id || ':' || m.id,
    found.locale, jsonb_build_object('invitation', found.id, 'rule', r.id, 'slot', s.id)
        || {_BECAUSE}, 5::smallint, now(), s.not_after, found.domain, found.reason
FROM reminder_slot s
JOIN reminder_rule r ON r.id = s.rule_id
JOIN meeting m ON m.id = s.meeting_id AND m.time_rev = s.time_rev AND m.state = 'confirmed'
CROSS JOIN LATERAL (
    SELECT i.id, p.id AS person_id, p.locale, split_part(p.email_normal, '@', 2) AS domain,
        left_out.reason
    {_WHOM.format("$2::timestamptz")}) found
WHERE s.id = $1
"""

# Reminders that stopped with an invitation ($1) which stands again, and that are still of use at
# $2. An invitation that left since then has said what they would say.
STOPPED = f"""
SELECT l.letter_id, l.subject_id
FROM invitation i
JOIN meeting m ON m.id = i.meeting_id AND m.state = 'confirmed'
JOIN letter_about l ON l.subject_id = m.id AND l.recipient_id = i.person_id
    AND l.kind IN ('reminder', 'nudge')
JOIN outbox o ON o.id = l.letter_id AND o.expires_at > $2
LEFT JOIN reminder_slot s ON s.id = (l.cause ->> 'slot')::uuid
LEFT JOIN reminder_rule r ON r.id = s.rule_id
LEFT JOIN notice n ON n.id = (l.cause ->> 'notice')::uuid
WHERE i.id = ANY ($1::uuid[]) AND i.state = 'invited'
    AND (l.dropped_because = 'uninvited' OR o.state = 'cancelled' AND o.reason = 'uninvited'
        OR o.state = 'sending' AND o.data_started_at IS NULL)
    AND CASE WHEN s.id IS NULL THEN n.created_at >= i.invited_at
        ELSE s.time_rev = m.time_rev AND s.not_after > $2 AND i.invited_at <= s.due_at
            AND {_LATELY.format("s", "r")} IS NULL END
"""

# To an address that does not work, or whose owner complained, no reminder leaves.
_UNREACHABLE = """EXISTS (
    SELECT FROM address_state b
    WHERE b.address_normal = p.email_normal AND b.state IN ('undeliverable', 'blocked'))"""

PLANNED = f"""
SELECT s.id, s.rule_id, r.kind, r.audience, r.anchor, r.days_before, r.at_local_time,
    r.minutes_before, r.only_online, r.min_days_invited, r.is_choice, s.due_at, s.state, s.reason,
    coalesce(s.letters, CASE r.kind
        WHEN 'summary' THEN (SELECT count(*)::int {summary_statements.READERS})
        ELSE found.letters END) AS letters,
    found.unreachable
FROM reminder_slot s
JOIN reminder_rule r ON r.id = s.rule_id
JOIN meeting m ON m.id = s.meeting_id AND m.time_rev = s.time_rev
CROSS JOIN LATERAL (
    SELECT count(*)::int AS letters, (count(*) FILTER (WHERE {_UNREACHABLE}))::int AS unreachable
    {_WHOM.format("greatest(s.due_at, now())")}
        AND left_out.reason IS NULL AND s.letters IS NULL AND r.kind <> 'summary') found
WHERE s.meeting_id = $1
ORDER BY s.due_at, r.is_choice, s.id
"""
