-- A token is known by a hash of its text, which only its program has.
CREATE TABLE tokens (
    id          TEXT    PRIMARY KEY,
    hash        TEXT    NOT NULL UNIQUE,
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    person      TEXT    NOT NULL,
    admin       BOOLEAN NOT NULL,
    customers   TEXT    NOT NULL, -- empty means all of the person
    created_at  BIGINT  NOT NULL,
    created_by  TEXT    NOT NULL,
    expires_at  BIGINT  NOT NULL,
    used_at     BIGINT  NOT NULL,
    used_from   TEXT    NOT NULL,
    revoked_at  BIGINT  NOT NULL,
    revoked_by  TEXT    NOT NULL,
    machine     TEXT    NOT NULL,
    application TEXT    NOT NULL
);

CREATE INDEX tokens_person ON tokens (person, created_at);
CREATE INDEX tokens_expires ON tokens (kind, expires_at);

-- Command lines that ask to sign in.
CREATE TABLE pairings (
    id           TEXT    PRIMARY KEY,
    application  TEXT    NOT NULL,
    machine      TEXT    NOT NULL,
    os_user      TEXT    NOT NULL,
    tenant       TEXT    NOT NULL,
    admin        BOOLEAN NOT NULL,
    challenge    TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    port         BIGINT  NOT NULL,
    code         TEXT    NOT NULL UNIQUE,
    address      TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    expires_at   BIGINT  NOT NULL,
    person       TEXT    NOT NULL,
    login        TEXT    NOT NULL,
    one_time     TEXT    NOT NULL,
    decided_at   BIGINT  NOT NULL,
    delivered_at BIGINT  NOT NULL,
    cancelled_at BIGINT  NOT NULL,
    version      BIGINT  NOT NULL
);

CREATE INDEX pairings_expires ON pairings (expires_at);
