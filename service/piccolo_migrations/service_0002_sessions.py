from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:00:03:000000"
VERSION = "1.38.0"
DESCRIPTION = "Meetings, invitations, reminders, feeds and audit"

# Ids are random 128-bit values. Wall time (`starts_local`) and zone are the truth of a meeting;
# `starts_at` is derived from them for comparing and sorting.
SQL = """
CREATE TABLE meeting (
    id uuid PRIMARY KEY,
    uid uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    slug text UNIQUE,
    state text NOT NULL DEFAULT 'draft' CHECK (state IN ('draft', 'tentative', 'confirmed',
        'postponed', 'held', 'cancelled')),
    date_precision text NOT NULL DEFAULT 'time'
        CHECK (date_precision IN ('time', 'day', 'week', 'month')),
    title text NOT NULL,
    is_numbered boolean NOT NULL DEFAULT true,
    starts_local timestamp,
    ends_local timestamp,
    time_zone text NOT NULL DEFAULT 'Europe/Berlin',
    starts_at timestamptz,
    ends_at timestamptz,
    mode text NOT NULL DEFAULT 'on_site' CHECK (mode IN ('on_site', 'online', 'hybrid')),
    place_name text NOT NULL DEFAULT '',
    room text NOT NULL DEFAULT '',
    street text NOT NULL DEFAULT '',
    town text NOT NULL DEFAULT '',
    place_access text NOT NULL DEFAULT '',
    online_url text NOT NULL DEFAULT '',
    dial_in text NOT NULL DEFAULT '',
    capacity integer CHECK (capacity > 0),
    answer_by timestamptz,
    answer_by_local timestamp,
    visibility text NOT NULL DEFAULT 'public' CHECK (visibility IN ('public', 'link', 'internal')),
    description text NOT NULL DEFAULT '',
    agenda text NOT NULL DEFAULT '',
    chair text NOT NULL DEFAULT '',
    organiser text NOT NULL DEFAULT '',
    outward_url text NOT NULL DEFAULT '',
    audience text NOT NULL DEFAULT 'group' CHECK (audience IN ('group', 'chosen')),
    extra_emails text NOT NULL DEFAULT '',
    seats_per_partner integer CHECK (seats_per_partner > 0),
    cancel_reason text NOT NULL DEFAULT '',
    number_kept boolean NOT NULL DEFAULT true,
    cancelled_from text CHECK (cancelled_from IN ('tentative', 'confirmed', 'postponed')),
    previous_starts_local timestamp,
    previous_ends_local timestamp,
    kept_answers jsonb NOT NULL DEFAULT '[]',
    asked_again_at timestamptz,
    revision integer NOT NULL DEFAULT 1,
    sequence integer NOT NULL DEFAULT 0,
    time_rev integer NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT date_trunc('second', now()),
    stamped_at timestamptz NOT NULL DEFAULT date_trunc('second', now()),
    created_at timestamptz NOT NULL DEFAULT date_trunc('second', now()),
    created_by uuid,
    saved_by text NOT NULL DEFAULT '',
    saved_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    invited_at timestamptz,
    held_at timestamptz,
    sheet_saved_at timestamptz,
    CHECK (ends_at IS NULL OR ends_at > starts_at)
);
CREATE INDEX meeting_start ON meeting (starts_at);
CREATE INDEX meeting_open ON meeting (ends_at) WHERE state IN ('tentative', 'confirmed');

CREATE TABLE meeting_group (
    meeting_id uuid NOT NULL REFERENCES meeting (id) ON DELETE CASCADE,
    group_id uuid NOT NULL REFERENCES working_group (id),
    number integer,
    position smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (meeting_id, group_id),
    UNIQUE (group_id, number)
);

CREATE TABLE meeting_audience (
    meeting_id uuid NOT NULL REFERENCES meeting (id) ON DELETE CASCADE,
    person_id uuid NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    PRIMARY KEY (meeting_id, person_id)
);
CREATE INDEX meeting_audience_person ON meeting_audience (person_id);

CREATE TABLE meeting_seats (
    meeting_id uuid PRIMARY KEY REFERENCES meeting (id) ON DELETE CASCADE,
    taken integer NOT NULL DEFAULT 0 CHECK (taken >= 0),
    by_partner jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

CREATE TABLE document (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    meeting_id uuid REFERENCES meeting (id) ON DELETE CASCADE,
    title text NOT NULL,
    kind text NOT NULL DEFAULT 'other',
    media_type text NOT NULL DEFAULT '',
    size_text text NOT NULL DEFAULT '',
    accessibility text NOT NULL DEFAULT 'unknown'
        CHECK (accessibility IN ('yes', 'part', 'no', 'unknown')),
    locale text NOT NULL DEFAULT 'de',
    url text NOT NULL DEFAULT '',
    published_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX document_meeting ON document (meeting_id);

CREATE TABLE pilot_project (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    group_id uuid REFERENCES working_group (id),
    name text NOT NULL UNIQUE,
    town text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT ''
);

CREATE TABLE invitation (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    handle uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    epoch integer NOT NULL DEFAULT 1,
    renewed_at timestamptz,
    meeting_id uuid NOT NULL REFERENCES meeting (id) ON DELETE CASCADE,
    person_id uuid NOT NULL REFERENCES person (id),
    organisation_id uuid REFERENCES organisation (id),
    role_title text NOT NULL DEFAULT '',
    state text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'invited', 'uninvited')),
    channel text NOT NULL DEFAULT 'publish' CHECK (channel IN ('publish', 'request', 'plain')),
    invited_at timestamptz,
    told_rev integer NOT NULL DEFAULT 0,
    answer text CHECK (answer IN ('in_person', 'online', 'represented', 'declined', 'undecided')),
    answer_way text CHECK (answer_way IN ('link', 'calendar', 'mail', 'phone', 'post', 'deputy')),
    answered_at timestamptz,
    answered_by uuid,
    answered_for text NOT NULL DEFAULT '',
    is_late boolean NOT NULL DEFAULT false,
    deputy_name text NOT NULL DEFAULT '',
    deputy_email text,
    note text NOT NULL DEFAULT '',
    access_needs text NOT NULL DEFAULT '',
    meal text NOT NULL DEFAULT '',
    list_consent boolean NOT NULL DEFAULT false,
    given_starts_local timestamp,
    given_mode text,
    given_town text,
    has_seat boolean NOT NULL DEFAULT false,
    answer_rev integer NOT NULL DEFAULT 0,
    reply_sequence integer,
    reply_stamped_at timestamptz,
    reset_sequence integer NOT NULL DEFAULT 0,
    changed_at timestamptz NOT NULL DEFAULT date_trunc('second', now()),
    presence text CHECK (presence IN ('present', 'online', 'represented', 'excused', 'absent')),
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (meeting_id, person_id)
) WITH (fillfactor = 80);
CREATE INDEX invitation_person ON invitation (person_id);

CREATE TABLE answer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invitation_id uuid NOT NULL REFERENCES invitation (id) ON DELETE CASCADE,
    answer_rev integer NOT NULL,
    answer text NOT NULL,
    way text NOT NULL,
    note text NOT NULL DEFAULT '',
    given_starts_local timestamp,
    given_mode text,
    given_town text,
    is_late boolean NOT NULL DEFAULT false,
    answered_for text NOT NULL DEFAULT '',
    entered_by uuid,
    answered_at timestamptz NOT NULL
);
CREATE INDEX answer_invitation ON answer (invitation_id);

CREATE TABLE phone_code (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    invitation_id uuid NOT NULL REFERENCES invitation (id) ON DELETE CASCADE,
    meeting_id uuid NOT NULL REFERENCES meeting (id) ON DELETE CASCADE,
    code_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

CREATE TABLE feed (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    kind text NOT NULL CHECK (kind IN ('public', 'group', 'personal', 'office')),
    group_id uuid REFERENCES working_group (id) ON DELETE CASCADE,
    person_id uuid REFERENCES person (id) ON DELETE CASCADE,
    account_id uuid REFERENCES account (id) ON DELETE CASCADE,
    handle uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    epoch integer NOT NULL DEFAULT 1,
    profile jsonb NOT NULL DEFAULT '{}',
    revision bigint NOT NULL DEFAULT 1,
    changed_at timestamptz NOT NULL DEFAULT date_trunc('second', now()),
    revoked_at timestamptz,
    last_fetch_on date,
    client_family text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    CHECK (kind <> 'group' OR group_id IS NOT NULL),
    CHECK (kind <> 'personal' OR person_id IS NOT NULL)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX feed_public ON feed (kind) WHERE kind = 'public';
CREATE UNIQUE INDEX feed_group ON feed (group_id) WHERE kind = 'group';
CREATE UNIQUE INDEX feed_person ON feed (person_id) WHERE kind = 'personal';
CREATE UNIQUE INDEX feed_account ON feed (account_id) WHERE kind = 'office';

CREATE TABLE notice (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    meeting_id uuid NOT NULL REFERENCES meeting (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('invitation', 'confirmed', 'change', 'postponed',
        'cancellation', 'uncancellation', 'uninvited', 'nudge')),
    state text NOT NULL DEFAULT 'pending'
        CHECK (state IN ('pending', 'sent', 'withdrawn', 'replaced', 'unneeded')),
    due_at timestamptz NOT NULL,
    is_timed boolean NOT NULL DEFAULT false,
    from_revision integer NOT NULL,
    to_revision integer NOT NULL,
    before jsonb NOT NULL DEFAULT '{}',
    person_ids uuid[],
    with_decliners boolean NOT NULL DEFAULT false,
    asks_again boolean NOT NULL DEFAULT false,
    message text NOT NULL DEFAULT '',
    letters integer,
    created_by uuid,
    created_at timestamptz NOT NULL DEFAULT now(),
    finished_at timestamptz
);
CREATE INDEX notice_due ON notice (due_at) WHERE state = 'pending';
CREATE INDEX notice_meeting ON notice (meeting_id, created_at);

CREATE TABLE reminder_rule (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    group_id uuid REFERENCES working_group (id) ON DELETE CASCADE,
    meeting_id uuid REFERENCES meeting (id) ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('reminder', 'nudge')),
    audience text[] NOT NULL,
    anchor text NOT NULL DEFAULT 'start' CHECK (anchor IN ('start', 'answer_by', 'end')),
    days_before smallint,
    at_local_time time,
    minutes_before integer,
    only_online boolean NOT NULL DEFAULT false,
    min_days_invited smallint NOT NULL DEFAULT 0,
    is_enabled boolean NOT NULL DEFAULT true,
    copied_from uuid REFERENCES reminder_rule (id) ON DELETE SET NULL,
    revision integer NOT NULL DEFAULT 1,
    CHECK ((days_before IS NULL) <> (minutes_before IS NULL)),
    CHECK ((days_before IS NULL) = (at_local_time IS NULL)),
    CHECK (group_id IS NULL OR meeting_id IS NULL),
    CHECK (audience <@ ARRAY['accepted', 'undecided', 'no_answer'] AND cardinality(audience) > 0)
);

CREATE TABLE reminder_slot (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    meeting_id uuid NOT NULL REFERENCES meeting (id) ON DELETE CASCADE,
    rule_id uuid NOT NULL REFERENCES reminder_rule (id) ON DELETE CASCADE,
    person_id uuid REFERENCES person (id) ON DELETE CASCADE,
    time_rev integer NOT NULL,
    due_at timestamptz NOT NULL,
    not_after timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'expanded', 'skipped', 'missed', 'cancelled')),
    reason text,
    letters integer,
    computed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (meeting_id, rule_id, person_id, time_rev)
);
CREATE INDEX reminder_slot_due ON reminder_slot (due_at) WHERE state = 'planned';

CREATE TABLE audit (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT now(),
    actor_kind text NOT NULL CHECK (actor_kind IN ('account', 'person', 'clock', 'command')),
    actor_id uuid,
    action text NOT NULL,
    object_kind text NOT NULL,
    object_id uuid,
    details jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_object ON audit (object_id, id);

CREATE TABLE job_health (
    job text PRIMARY KEY,
    last_start_at timestamptz,
    last_ok_at timestamptz,
    last_error_at timestamptz,
    last_error text
);

CREATE TABLE worker (
    id text PRIMARY KEY,
    role text NOT NULL,
    started_at timestamptz NOT NULL,
    heartbeat_at timestamptz NOT NULL
);
"""


async def forwards() -> MigrationManager:
    """Create the tables of sessions and what hangs on them."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
