"""What people want, as SQL: a person's preferences are `w`, all null for who never chose."""

# Days are those of the office's calendar. It stands by itself, so it is read once a statement.
OFFICE_ZONE = "(SELECT coalesce(max(time_zone), 'Europe/Berlin') FROM instance)"

# {0} is a rule that people may choose.
CHOSE = """(w.has_own_times AND ({0}.minutes_before = ANY(w.own_minutes)
        OR {0}.days_before = ANY(w.own_days) AND {0}.at_local_time = w.own_at))"""

# Why a reminder or nudge by the rule {0} does not go at the instant {1}; null when it may. The same
# order as `domain.preferences.refusal`, then whoever goes by times of their own.
REFUSAL = f"""CASE
    WHEN NOT CASE {{0}}.kind WHEN 'nudge' THEN w.nudges ELSE w.reminders END THEN 'unsubscribed'
    WHEN w.paused_until >= ({{1}} AT TIME ZONE {OFFICE_ZONE})::date THEN 'paused'
    WHEN w.digest_only THEN 'digest_only'
    WHEN {{0}}.kind = 'reminder' AND NOT {{0}}.is_choice AND w.has_own_times THEN 'own_times'
    END"""
