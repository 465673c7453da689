-- What a ticket system told of the open tickets of a company when it was asked
-- last, newest first, as JSON.
CREATE TABLE ticket_lists (
    connection TEXT    NOT NULL,
    company    TEXT    NOT NULL,
    tickets    TEXT    NOT NULL,
    more       BOOLEAN NOT NULL,
    read_at    BIGINT  NOT NULL,
    PRIMARY KEY (connection, company)
);

-- What it told that can be chosen for a setting of its connection, as JSON.
CREATE TABLE ticket_choices (
    connection TEXT   NOT NULL,
    field      TEXT   NOT NULL,
    choices    TEXT   NOT NULL,
    read_at    BIGINT NOT NULL,
    PRIMARY KEY (connection, field)
);

-- Tickets of live grants of which something was noticed: closed, gone, moved.
CREATE TABLE ticket_signs (
    connection TEXT   NOT NULL,
    ticket     TEXT   NOT NULL,
    closed_at  BIGINT NOT NULL,
    missed     BIGINT NOT NULL,
    why        TEXT   NOT NULL,
    PRIMARY KEY (connection, ticket)
);

ALTER TABLE grants ADD COLUMN ticket_url TEXT NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN ticket_unverified BOOLEAN NOT NULL DEFAULT FALSE;

CREATE INDEX grants_watched ON grants (ticket_system, ticket_id) WHERE ended_at = 0;
CREATE INDEX work_parked ON work (group_name, place) WHERE parked_at > 0;
