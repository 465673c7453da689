-- What was issued from grants: one row for each set of keys or console.
CREATE TABLE issued (
    id           TEXT   PRIMARY KEY,
    grant_id     TEXT   NOT NULL,
    account      TEXT   NOT NULL,
    customer     TEXT   NOT NULL,
    target       TEXT   NOT NULL,
    entitlement  TEXT   NOT NULL,
    person       TEXT   NOT NULL,
    made_for     TEXT   NOT NULL, -- keys, console or url
    via          TEXT   NOT NULL, -- page, cli or token
    token        TEXT   NOT NULL,
    application  TEXT   NOT NULL,
    machine      TEXT   NOT NULL,
    address      TEXT   NOT NULL,
    name         TEXT   NOT NULL, -- as the target's own log shows it
    key_id       TEXT   NOT NULL, -- of the keys; no secret
    issued_at    BIGINT NOT NULL,
    ends_at      BIGINT NOT NULL, -- denied everything by its own limits from then on
    expires_at   BIGINT NOT NULL  -- does not exist from then on
);

CREATE INDEX issued_account ON issued (account, entitlement);
CREATE INDEX issued_grant ON issued (grant_id, issued_at);
CREATE INDEX issued_person ON issued (person, issued_at);
CREATE INDEX issued_expires ON issued (expires_at);

-- How long sessions may last, by what and where it was set.
CREATE TABLE session_limits (
    setting TEXT   NOT NULL,
    place   TEXT   NOT NULL, -- '', scope:admin, scope:tenant, customer:<id> or target:<id>
    length  BIGINT NOT NULL,
    set_by  TEXT   NOT NULL,
    set_at  BIGINT NOT NULL,
    PRIMARY KEY (setting, place)
);

-- What else a policy says, as JSON.
ALTER TABLE policies ADD COLUMN rules TEXT NOT NULL DEFAULT '';

-- The policy for what is an administrator's on this target; empty: the default.
ALTER TABLE targets ADD COLUMN admin_policy TEXT NOT NULL DEFAULT '';
