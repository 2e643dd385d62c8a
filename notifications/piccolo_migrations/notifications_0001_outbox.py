from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:00:01:000000"
VERSION = "1.38.0"
DESCRIPTION = "Outbox: letters written once, their narrow delivery rows, relay and address state"

# Two tables carry a letter: `letter` is written once, `outbox` is narrow and updated often.
# Measured, one wide row with full indexes costs twice the time per letter. Indexes on `outbox` are
# partial: a full one makes a claim out of 100,000 fresh rows take seconds until autoanalyze has
# run. `outbox_due` begins with the priority, so that a letter of sign-in passes a waiting crowd.
# A letter keeps its prototype's name longer than the prototype is kept, so there is no foreign key:
# to clear one away it would read all letters.
SQL = """
CREATE TABLE prototype (
    sha256 bytea PRIMARY KEY,
    kind text NOT NULL,
    locale text NOT NULL,
    subject_id uuid,
    subject_rev integer NOT NULL DEFAULT 0,
    segments jsonb NOT NULL,
    used_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE letter (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    dedupe_key text NOT NULL UNIQUE,
    kind text NOT NULL,
    recipient_id uuid,
    subject_id uuid,
    subject_rev integer NOT NULL DEFAULT 0,
    time_rev integer NOT NULL DEFAULT 0,
    ordering_key text NOT NULL,
    locale text NOT NULL,
    cause jsonb NOT NULL DEFAULT '{}',
    to_addr text,
    to_name text,
    prototype_sha256 bytea,
    slot_values jsonb,
    dated_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX letter_subject_kind ON letter (subject_id, kind);
CREATE INDEX letter_recipient ON letter (recipient_id, created_at);
CREATE INDEX letter_created ON letter (created_at);

CREATE TABLE letter_subject (
    letter_id uuid NOT NULL REFERENCES letter (id) ON DELETE CASCADE,
    subject_id uuid NOT NULL,
    subject_rev integer NOT NULL DEFAULT 0,
    position smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (letter_id, subject_id)
);

CREATE TABLE outbox (
    id uuid PRIMARY KEY REFERENCES letter (id) ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'sending', 'sent', 'uncertain',
        'failed', 'dead', 'expired', 'cancelled', 'held')),
    reason text,
    priority smallint NOT NULL DEFAULT 5,
    ordering_key text NOT NULL,
    recipient_domain text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    next_attempt_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    lease_owner text,
    lease_until timestamptz,
    lease_token integer NOT NULL DEFAULT 0,
    data_started_at timestamptz,
    letter_sha256 bytea,
    attempts smallint NOT NULL DEFAULT 0,
    uncertain_count smallint NOT NULL DEFAULT 0,
    last_phase text,
    last_code smallint,
    last_enhanced text,
    last_text text,
    remote_id text,
    accepted_at timestamptz,
    dsn_state text NOT NULL DEFAULT 'none'
        CHECK (dsn_state IN ('none', 'relayed', 'delivered', 'delayed', 'failed')),
    bounced_at timestamptz,
    finished_at timestamptz
) WITH (fillfactor = 70);
CREATE INDEX outbox_due ON outbox (priority, next_attempt_at) WHERE state = 'queued';
CREATE INDEX outbox_order ON outbox (ordering_key, created_at)
    WHERE state IN ('queued', 'sending', 'uncertain');
CREATE INDEX outbox_held ON outbox (reason) WHERE state = 'held';
CREATE INDEX outbox_leased ON outbox (id) WHERE state IN ('sending', 'uncertain');

CREATE TABLE mail_attempt (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    letter_id uuid NOT NULL REFERENCES letter (id) ON DELETE CASCADE,
    lease_token integer NOT NULL,
    worker text NOT NULL,
    started_at timestamptz NOT NULL,
    data_started_at timestamptz,
    ended_at timestamptz,
    outcome text NOT NULL,
    reason text,
    phase text,
    code smallint,
    enhanced text,
    reply text
);
CREATE INDEX mail_attempt_letter ON mail_attempt (letter_id);

CREATE TABLE relay_state (
    relay text PRIMARY KEY,
    paused_until timestamptz,
    reason text,
    consecutive_failures integer NOT NULL DEFAULT 0,
    failing_since timestamptz,
    alarmed_at timestamptz,
    counted_from timestamptz,
    tried_at timestamptz,
    last_ok_at timestamptz
);

CREATE TABLE relay_slot (
    relay text NOT NULL,
    n smallint NOT NULL,
    holder text,
    lease_until timestamptz,
    PRIMARY KEY (relay, n)
);

CREATE TABLE address_state (
    address_normal text PRIMARY KEY,
    state text NOT NULL DEFAULT 'ok'
        CHECK (state IN ('ok', 'soft', 'undeliverable', 'blocked', 'unverified')),
    score real NOT NULL DEFAULT 0,
    last_bounce_at timestamptz,
    last_status text,
    probe_letter_id uuid,
    cleared_by uuid,
    updated_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE address_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    address_normal text NOT NULL,
    verdict text NOT NULL,
    letter_id uuid,
    status text,
    happened_at timestamptz NOT NULL,
    UNIQUE (address_normal, letter_id, verdict)
);

CREATE TABLE mail_event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    raw_sha256 bytea NOT NULL UNIQUE,
    kind text NOT NULL,
    letter_id uuid REFERENCES letter (id) ON DELETE CASCADE,
    details jsonb NOT NULL DEFAULT '{}',
    received_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    settled_by uuid
);
CREATE INDEX mail_event_letter ON mail_event (letter_id);
CREATE INDEX mail_event_received ON mail_event (received_at);

CREATE TABLE mailbox_cursor (
    mailbox text PRIMARY KEY,
    uid_validity bigint NOT NULL DEFAULT 0,
    last_uid bigint NOT NULL DEFAULT 0,
    read_at timestamptz,
    lease_until timestamptz NOT NULL DEFAULT now()
);
"""


async def forwards() -> MigrationManager:
    """Create the tables of the outbox."""
    return scripts.migration(ID, "notifications", DESCRIPTION, SQL)
