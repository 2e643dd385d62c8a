"""The tables of this package for the query builder; the migration's SQL is the truth."""

from piccolo.columns import (
    JSONB,
    UUID,
    BigInt,
    Bytea,
    Integer,
    Real,
    SmallInt,
    Text,
    Timestamptz,
)
from piccolo.table import Table


class OutgoingLetter(Table, tablename="letter"):
    """Who gets which letter about what; written once, frozen with the first mark."""

    id = UUID(primary_key=True)
    dedupe_key = Text(unique=True)
    kind = Text()
    recipient_id = UUID(null=True, default=None)
    subject_id = UUID(null=True, default=None)
    subject_rev = Integer()
    time_rev = Integer()
    ordering_key = Text()
    locale = Text()
    cause = JSONB()
    to_addr = Text(null=True, default=None)
    to_name = Text(null=True, default=None)
    prototype_sha256 = Bytea(null=True, default=None)
    slot_values = JSONB(null=True, default=None)
    dated_at = Timestamptz(null=True, default=None)
    created_at = Timestamptz()


class Delivery(Table, tablename="outbox"):
    """Where a letter is; narrow, because it changes several times."""

    id = UUID(primary_key=True)
    state = Text()
    reason = Text(null=True, default=None)
    priority = SmallInt()
    ordering_key = Text()
    recipient_domain = Text()
    created_at = Timestamptz()
    next_attempt_at = Timestamptz()
    expires_at = Timestamptz(default=None)
    lease_owner = Text(null=True, default=None)
    lease_until = Timestamptz(null=True, default=None)
    lease_token = Integer()
    data_started_at = Timestamptz(null=True, default=None)
    letter_sha256 = Bytea(null=True, default=None)
    attempts = SmallInt()
    uncertain_count = SmallInt()
    unwritable_count = SmallInt(default=0)
    last_phase = Text(null=True, default=None)
    last_code = SmallInt(null=True, default=None)
    last_enhanced = Text(null=True, default=None)
    last_text = Text(null=True, default=None)
    remote_id = Text(null=True, default=None)
    accepted_at = Timestamptz(null=True, default=None)
    dsn_state = Text(default="none")
    bounced_at = Timestamptz(null=True, default=None)
    finished_at = Timestamptz(null=True, default=None)


class Attempt(Table, tablename="mail_attempt"):
    """One try to hand a letter over; only ever added."""

    id = BigInt(primary_key=True)
    letter_id = UUID()
    lease_token = Integer()
    worker = Text()
    started_at = Timestamptz(default=None)
    data_started_at = Timestamptz(null=True, default=None)
    ended_at = Timestamptz(null=True, default=None)
    outcome = Text()
    reason = Text(null=True, default=None)
    phase = Text(null=True, default=None)
    code = SmallInt(null=True, default=None)
    enhanced = Text(null=True, default=None)
    reply = Text(null=True, default=None)


class Relay(Table, tablename="relay_state"):
    """Whether a mail relay rests, and why."""

    relay = Text(primary_key=True)
    paused_until = Timestamptz(null=True, default=None)
    reason = Text(null=True, default=None)
    consecutive_failures = Integer()
    failing_since = Timestamptz(null=True, default=None)
    alarmed_at = Timestamptz(null=True, default=None)
    counted_from = Timestamptz(null=True, default=None)
    tried_at = Timestamptz(null=True, default=None)
    last_ok_at = Timestamptz(null=True, default=None)


class Address(Table, tablename="address_state"):
    """What refusals have taught us about an address."""

    address_normal = Text(primary_key=True)
    state = Text()
    score = Real()
    last_bounce_at = Timestamptz(null=True, default=None)
    last_status = Text(null=True, default=None)
    probe_letter_id = UUID(null=True, default=None)
    cleared_by = UUID(null=True, default=None)
    updated_at = Timestamptz()


class AddressEvent(Table, tablename="address_event"):
    """One thing that was learnt about an address, once per letter and verdict."""

    id = BigInt(primary_key=True)
    address_normal = Text()
    verdict = Text()
    letter_id = UUID(null=True, default=None)
    status = Text(null=True, default=None)
    happened_at = Timestamptz(default=None)


class Inbound(Table, tablename="mail_event"):
    """Something that came back; without a letter until somebody settled it, the office sees it."""

    id = BigInt(primary_key=True)
    raw_sha256 = Bytea(unique=True)
    kind = Text()
    letter_id = UUID(null=True, default=None)
    details = JSONB()
    received_at = Timestamptz()
    settled_at = Timestamptz(null=True, default=None)
    settled_by = UUID(null=True, default=None)


class MailboxCursor(Table, tablename="mailbox_cursor"):
    """How far a mailbox has been read; a new UIDVALIDITY begins anew."""

    mailbox = Text(primary_key=True)
    uid_validity = BigInt()
    last_uid = BigInt()
    read_at = Timestamptz(null=True, default=None)
    lease_until = Timestamptz()
