-- Passwords of people who sign in here. Only their hashes are known.
CREATE TABLE passwords (
    person TEXT PRIMARY KEY,
    hash   TEXT NOT NULL
);

-- A session is known by a hash of the token that only its browser has.
CREATE TABLE sessions (
    session_key TEXT   PRIMARY KEY,
    person      TEXT   NOT NULL,
    data        BYTEA  NOT NULL,
    address     TEXT   NOT NULL,
    browser     TEXT   NOT NULL,
    begun_at    BIGINT NOT NULL,
    seen_at     BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL
);

CREATE INDEX sessions_person ON sessions (person, seen_at);
CREATE INDEX sessions_expires ON sessions (expires_at);
