-- Times are microseconds since 1970 UTC, lengths of time are microseconds, and
-- 0 means "not yet". Lists and settings are JSON. IDs are random text.

CREATE TABLE customers (
    id          TEXT   PRIMARY KEY,
    name        TEXT   NOT NULL,
    note        TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    archived_at BIGINT NOT NULL,
    version     BIGINT NOT NULL
);

CREATE TABLE targets (
    id          TEXT   PRIMARY KEY,
    customer    TEXT   NOT NULL,
    kind        TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    policy      TEXT   NOT NULL,
    settings    TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT NOT NULL,
    checked_at  BIGINT NOT NULL,
    findings    TEXT   NOT NULL,
    version     BIGINT NOT NULL
);

CREATE INDEX targets_customer ON targets (customer);

-- Secret settings of targets, each sealed for its place.
CREATE TABLE target_secrets (
    target TEXT  NOT NULL,
    name   TEXT  NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (target, name)
);

CREATE TABLE people (
    id            TEXT    PRIMARY KEY,
    login         TEXT    NOT NULL,
    login_key     TEXT    NOT NULL UNIQUE, -- the login without regard to case
    name          TEXT    NOT NULL,
    roles         TEXT    NOT NULL,
    customers     TEXT    NOT NULL,
    all_customers BOOLEAN NOT NULL,
    time_zone     TEXT    NOT NULL,
    created_at    BIGINT  NOT NULL,
    disabled_at   BIGINT  NOT NULL,
    version       BIGINT  NOT NULL
);

-- Every change of a policy is a new version; none is ever changed or deleted.
CREATE TABLE policies (
    name             TEXT    NOT NULL,
    version          BIGINT  NOT NULL,
    title            TEXT    NOT NULL,
    default_duration BIGINT  NOT NULL,
    max_duration     BIGINT  NOT NULL,
    start_within     BIGINT  NOT NULL,
    min_reason       BIGINT  NOT NULL,
    needs_approval   BOOLEAN NOT NULL,
    password         TEXT    NOT NULL,
    end_orphans      BOOLEAN NOT NULL,
    changed_at       BIGINT  NOT NULL,
    changed_by       TEXT    NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE settings (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
);

-- A temporary account carries its own schedule: next_at is when it must be
-- looked at next, or when its lease runs out; 0 means not before it is woken.
CREATE TABLE accounts (
    id            TEXT   PRIMARY KEY,
    customer      TEXT   NOT NULL,
    target        TEXT   NOT NULL,
    holds_key     TEXT   NOT NULL,
    holder        TEXT   NOT NULL,
    holder_login  TEXT   NOT NULL,
    holder_name   TEXT   NOT NULL,

    username      TEXT   NOT NULL DEFAULT '',
    object_id     TEXT   NOT NULL DEFAULT '',
    seen          TEXT   NOT NULL DEFAULT '', -- the last observation
    baseline      TEXT   NOT NULL DEFAULT '',
    trouble       TEXT   NOT NULL DEFAULT '',
    version       BIGINT NOT NULL DEFAULT 1,

    next_at       BIGINT NOT NULL,
    due_at        BIGINT NOT NULL DEFAULT 0, -- what next_at was when it was claimed
    woken_at      BIGINT NOT NULL DEFAULT 0, -- woken while leased
    lease_owner   TEXT   NOT NULL DEFAULT '',
    lease_epoch   BIGINT NOT NULL DEFAULT 0, -- raised by every claim; fences every write
    claim         BIGINT NOT NULL DEFAULT 0, -- what the rows of one claim have in common
    attempts      BIGINT NOT NULL DEFAULT 0, -- failures since the last success
    last_error    TEXT   NOT NULL DEFAULT '',
    UNIQUE (target, holds_key)
);

CREATE INDEX accounts_due ON accounts (next_at, id) WHERE next_at > 0;
CREATE INDEX accounts_leased ON accounts (lease_owner, claim) WHERE lease_owner <> '';
CREATE INDEX accounts_failed ON accounts (target, next_at) WHERE attempts > 0;

-- A grant is one row for its whole life. Its state is computed, never stored.
CREATE TABLE grants (
    id             TEXT   PRIMARY KEY,
    requester      TEXT   NOT NULL,
    customer       TEXT   NOT NULL,
    target         TEXT   NOT NULL,
    entitlement    TEXT   NOT NULL,
    ticket_system  TEXT   NOT NULL,
    ticket_id      TEXT   NOT NULL,
    ticket_number  TEXT   NOT NULL,
    ticket_title   TEXT   NOT NULL,
    reason         TEXT   NOT NULL,
    duration       BIGINT NOT NULL,
    policy         TEXT   NOT NULL,
    policy_version BIGINT NOT NULL,
    account        TEXT   NOT NULL,
    submitted_at   BIGINT NOT NULL,

    approved_at    BIGINT NOT NULL,
    approved_by    TEXT   NOT NULL,
    start_by       BIGINT NOT NULL,
    extension      BIGINT NOT NULL,
    stopped_at     BIGINT NOT NULL,
    stopped_by     TEXT   NOT NULL,
    stop_cause     TEXT   NOT NULL,
    stop_reason    TEXT   NOT NULL,

    verified_at    BIGINT NOT NULL,
    lost_at        BIGINT NOT NULL,
    removing_at    BIGINT NOT NULL,
    overdue_at     BIGINT NOT NULL,
    ended_at       BIGINT NOT NULL,
    continued_by   TEXT   NOT NULL,
    findings       TEXT   NOT NULL,
    version        BIGINT NOT NULL
);

CREATE INDEX grants_open ON grants (account, submitted_at) WHERE ended_at = 0;
CREATE INDEX grants_live ON grants (submitted_at, id) WHERE ended_at = 0;
CREATE INDEX grants_submitted ON grants (submitted_at, id);
CREATE INDEX grants_customer ON grants (customer, submitted_at, id);
CREATE INDEX grants_requester ON grants (requester, submitted_at, id);
CREATE INDEX grants_ticket ON grants (ticket_id);

-- The password of an account, as long as there is one.
CREATE TABLE credentials (
    account     TEXT    PRIMARY KEY,
    seq         BIGINT  NOT NULL,
    place       TEXT    NOT NULL,
    sealed      BYTEA,
    recipient   TEXT    NOT NULL,
    retain      BOOLEAN NOT NULL,
    created_at  BIGINT  NOT NULL,
    set_at      BIGINT  NOT NULL,
    revealed_at BIGINT  NOT NULL
);

CREATE TABLE offers (
    id         TEXT   PRIMARY KEY,
    person     TEXT   NOT NULL,
    customer   TEXT   NOT NULL,
    sealed     BYTEA  NOT NULL,
    expires_at BIGINT NOT NULL
);

CREATE INDEX offers_expires ON offers (expires_at);

-- Side work, with the same schedule as accounts. The rows of one lane are done
-- one after the other, in the order of their place.
CREATE TABLE work (
    id          TEXT   PRIMARY KEY,
    kind        TEXT   NOT NULL,
    work_key    TEXT   NOT NULL UNIQUE,
    group_name  TEXT   NOT NULL,
    lane        TEXT   NOT NULL,
    place       BIGINT NOT NULL,
    grant_id    TEXT   NOT NULL,
    payload     BYTEA  NOT NULL,
    created_at  BIGINT NOT NULL,
    tried_at    BIGINT NOT NULL DEFAULT 0,
    done_at     BIGINT NOT NULL DEFAULT 0,
    parked_at   BIGINT NOT NULL DEFAULT 0,
    result      TEXT   NOT NULL DEFAULT '',
    version     BIGINT NOT NULL DEFAULT 1,

    next_at     BIGINT NOT NULL,
    due_at      BIGINT NOT NULL DEFAULT 0,
    woken_at    BIGINT NOT NULL DEFAULT 0,
    lease_owner TEXT   NOT NULL DEFAULT '',
    lease_epoch BIGINT NOT NULL DEFAULT 0,
    claim       BIGINT NOT NULL DEFAULT 0,
    attempts    BIGINT NOT NULL DEFAULT 0,
    last_error  TEXT   NOT NULL DEFAULT ''
);

CREATE INDEX work_due ON work (next_at, id) WHERE next_at > 0;
CREATE INDEX work_leased ON work (lease_owner, claim) WHERE lease_owner <> '';
CREATE INDEX work_failed ON work (group_name, next_at) WHERE attempts > 0;
CREATE INDEX work_lane ON work (lane, place) WHERE done_at = 0 AND parked_at = 0;
CREATE INDEX work_grant ON work (grant_id, place);

-- The tickets of the built-in desk.
CREATE TABLE desk_tickets (
    id         TEXT   PRIMARY KEY,
    number     BIGINT NOT NULL UNIQUE,
    customer   TEXT   NOT NULL,
    title      TEXT   NOT NULL,
    opened_by  TEXT   NOT NULL,
    opened_at  BIGINT NOT NULL,
    closed_at  BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    version    BIGINT NOT NULL
);

CREATE INDEX desk_tickets_customer ON desk_tickets (customer, number);
CREATE INDEX desk_tickets_open ON desk_tickets (customer, number) WHERE closed_at = 0;

CREATE TABLE desk_notes (
    id       TEXT   PRIMARY KEY,
    ticket   TEXT   NOT NULL,
    note_key TEXT,  -- NULL where the note has none
    subject  TEXT   NOT NULL,
    body     TEXT   NOT NULL,
    at       BIGINT NOT NULL
);

CREATE UNIQUE INDEX desk_notes_key ON desk_notes (ticket, note_key);
CREATE INDEX desk_notes_ticket ON desk_notes (ticket, at, id);
