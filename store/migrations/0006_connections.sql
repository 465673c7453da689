-- Connected ticket systems.
CREATE TABLE connections (
    id          TEXT   PRIMARY KEY,
    kind        TEXT   NOT NULL,
    name        TEXT   NOT NULL,
    settings    TEXT   NOT NULL,
    created_at  BIGINT NOT NULL,
    disabled_at BIGINT NOT NULL,
    checked_at  BIGINT NOT NULL,
    findings    TEXT   NOT NULL,
    version     BIGINT NOT NULL
);

-- Secret settings of connections, each sealed for its place.
CREATE TABLE connection_secrets (
    connection TEXT  NOT NULL,
    name       TEXT  NOT NULL,
    sealed     BYTEA NOT NULL,
    PRIMARY KEY (connection, name)
);

-- What each system told of its companies when it was asked last.
CREATE TABLE companies (
    connection TEXT   NOT NULL,
    company    TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    was        TEXT   NOT NULL,
    seen_at    BIGINT NOT NULL,
    gone_at    BIGINT NOT NULL,
    PRIMARY KEY (connection, company)
);

-- Which company of a system a customer is; one company is one customer.
CREATE TABLE mappings (
    connection TEXT   NOT NULL,
    customer   TEXT   NOT NULL,
    company    TEXT   NOT NULL,
    name       TEXT   NOT NULL,
    mapped_at  BIGINT NOT NULL,
    PRIMARY KEY (connection, customer),
    UNIQUE (connection, company)
);

CREATE INDEX mappings_customer ON mappings (customer);

-- The ticket system of a customer that does not use the default one.
CREATE TABLE customer_desks (
    customer   TEXT PRIMARY KEY,
    connection TEXT NOT NULL
);
