from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:00:02:000000"
VERSION = "1.38.0"
DESCRIPTION = "Groups, people and accounts"

# Ids are random 128-bit values.
SQL = """
CREATE TABLE instance (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    name text NOT NULL,
    short_name text NOT NULL,
    aim text NOT NULL DEFAULT '',
    office_name text NOT NULL DEFAULT '',
    street text NOT NULL DEFAULT '',
    postcode text NOT NULL DEFAULT '',
    town text NOT NULL DEFAULT '',
    email text NOT NULL DEFAULT '',
    phone text NOT NULL DEFAULT '',
    time_zone text NOT NULL DEFAULT 'Europe/Berlin',
    holiday_country text NOT NULL DEFAULT 'DE',
    holiday_subdivision text NOT NULL DEFAULT 'TH',
    calendar_uid uuid NOT NULL DEFAULT gen_random_uuid(),
    is_demo boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE legal_text (
    kind text NOT NULL CHECK (kind IN ('imprint', 'privacy', 'accessibility')),
    locale text NOT NULL CHECK (locale IN ('de', 'en')),
    body text NOT NULL DEFAULT '',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, locale)
);

CREATE TABLE working_group (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    slug text NOT NULL UNIQUE,
    heading text NOT NULL CHECK (heading IN ('alliance', 'groups', 'other')),
    name text NOT NULL,
    short_name text NOT NULL DEFAULT '',
    title_pattern text NOT NULL,
    next_number integer CHECK (next_number > 0),
    aim text NOT NULL DEFAULT '',
    is_everybody boolean NOT NULL DEFAULT false,
    position smallint NOT NULL DEFAULT 0,
    colour text NOT NULL DEFAULT '',
    invite_weeks_before smallint NOT NULL DEFAULT 6,
    answer_working_days_before smallint NOT NULL DEFAULT 5,
    answer_by_time time NOT NULL DEFAULT '12:00',
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_on date
);

CREATE TABLE organisation (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    external_ref text UNIQUE,
    name text NOT NULL,
    sort_key text NOT NULL,
    short_name text NOT NULL DEFAULT '',
    kind text NOT NULL DEFAULT '',
    town text NOT NULL DEFAULT '',
    phone text NOT NULL DEFAULT '',
    website text NOT NULL DEFAULT '',
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_on date
);
CREATE UNIQUE INDEX organisation_name ON organisation (lower(name)) WHERE ended_on IS NULL;

CREATE TABLE person (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    external_ref text UNIQUE,
    full_name text NOT NULL,
    sort_key text NOT NULL,
    email text,
    email_normal text,
    phone text NOT NULL DEFAULT '',
    locale text NOT NULL DEFAULT 'de' CHECK (locale IN ('de', 'en')),
    copy_email text,
    internal_note text NOT NULL DEFAULT '',
    page_handle uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    page_epoch integer NOT NULL DEFAULT 1,
    mail_handle uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,
    mail_epoch integer NOT NULL DEFAULT 1,
    first_letter_on date,
    revision integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    ended_on date,
    anonymised_at timestamptz
);
CREATE INDEX person_email ON person (email_normal);

CREATE TABLE preference (
    person_id uuid PRIMARY KEY REFERENCES person (id) ON DELETE CASCADE,
    reminders boolean NOT NULL DEFAULT true,
    nudges boolean NOT NULL DEFAULT true,
    papers boolean NOT NULL DEFAULT true,
    digest boolean NOT NULL DEFAULT false,
    digest_only boolean NOT NULL DEFAULT false,
    paused_until date,
    changed_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX preference_digest ON preference (person_id) WHERE digest OR digest_only;

CREATE TABLE former_address (
    person_id uuid NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    email_normal text NOT NULL,
    until_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (person_id, email_normal)
);

CREATE TABLE affiliation (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    person_id uuid NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    organisation_id uuid NOT NULL REFERENCES organisation (id),
    role_title text NOT NULL DEFAULT '',
    from_on date NOT NULL,
    to_on date,
    CHECK (to_on IS NULL OR to_on >= from_on)
);
CREATE INDEX affiliation_person ON affiliation (person_id);
CREATE INDEX affiliation_organisation ON affiliation (organisation_id);

CREATE TABLE membership (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    person_id uuid NOT NULL REFERENCES person (id) ON DELETE CASCADE,
    group_id uuid NOT NULL REFERENCES working_group (id),
    role text NOT NULL DEFAULT 'member' CHECK (role IN ('member', 'lead', 'deputy', 'guest')),
    from_on date NOT NULL,
    to_on date,
    CHECK (to_on IS NULL OR to_on >= from_on)
);
CREATE INDEX membership_person ON membership (person_id);
CREATE INDEX membership_group ON membership (group_id);
CREATE UNIQUE INDEX membership_open ON membership (person_id, group_id) WHERE to_on IS NULL;

CREATE TABLE account (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    email text NOT NULL,
    email_normal text NOT NULL UNIQUE,
    full_name text NOT NULL,
    role text NOT NULL CHECK (role IN ('coordinator', 'lead', 'reader', 'admin')),
    locale text NOT NULL DEFAULT 'de' CHECK (locale IN ('de', 'en')),
    created_at timestamptz NOT NULL DEFAULT now(),
    last_sign_in_at timestamptz,
    disabled_at timestamptz
);

CREATE TABLE account_group (
    account_id uuid NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    group_id uuid NOT NULL REFERENCES working_group (id) ON DELETE CASCADE,
    PRIMARY KEY (account_id, group_id)
);

CREATE TABLE staff_session (
    secret_hash bytea PRIMARY KEY,
    account_id uuid NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    form_key bytea NOT NULL,
    created_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ends_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX staff_session_account ON staff_session (account_id);

CREATE TABLE one_time_token (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    purpose text NOT NULL,
    secret_hash bytea NOT NULL UNIQUE,
    code_hash bytea,
    browser_hash bytea,
    account_id uuid REFERENCES account (id) ON DELETE CASCADE,
    person_id uuid REFERENCES person (id) ON DELETE CASCADE,
    tries smallint NOT NULL DEFAULT 0,
    created_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    replaced_at timestamptz
);

CREATE TABLE rate_bucket (
    key text PRIMARY KEY,
    tokens real NOT NULL,
    updated_at timestamptz NOT NULL
);
"""


async def forwards() -> MigrationManager:
    """Create the tables of who is who."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
