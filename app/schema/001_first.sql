-- People, worksheets, sessions, runs and what they printed; services and their status.
-- Ids are UUIDs made by whoever creates the row, so that a repeated insert is harmless.

CREATE TABLE accounts (
    id       uuid PRIMARY KEY,
    name     text NOT NULL,
    role     text NOT NULL CHECK (role IN ('owner')),
    created  timestamptz NOT NULL DEFAULT now()
);

-- Addresses that sign a browser in once. Only hashes (SHA-256) of secrets are kept.
CREATE TABLE invitations (
    hash     bytea PRIMARY KEY,
    account  uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    created  timestamptz NOT NULL DEFAULT now(),
    expires  timestamptz NOT NULL,
    used     timestamptz
);

-- One row per signed-in browser; the cookie holds the secret.
CREATE TABLE sign_ins (
    hash     bytea PRIMARY KEY,
    account  uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    created  timestamptz NOT NULL DEFAULT now(),
    expires  timestamptz NOT NULL
);

CREATE TABLE worksheets (
    id       uuid PRIMARY KEY,
    account  uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    title    text NOT NULL,
    created  timestamptz NOT NULL DEFAULT now(),
    changed  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE cells (
    id         uuid PRIMARY KEY,
    worksheet  uuid NOT NULL REFERENCES worksheets ON DELETE CASCADE,
    position   double precision NOT NULL,
    code       text NOT NULL,
    revision   bigint NOT NULL DEFAULT 1,
    changed    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX cells_of_worksheet ON cells (worksheet, position);

-- One Sage process in the service of one worksheet. No foreign keys from here on:
-- a sage server writes what has happened, whatever became of the worksheet.
CREATE TABLE sessions (
    id         uuid PRIMARY KEY,
    worksheet  uuid NOT NULL,
    server     text NOT NULL,               -- host:port of the sage server
    language   text NOT NULL,
    started    timestamptz NOT NULL,
    ended      timestamptz,
    reason     text
);
CREATE INDEX sessions_of_worksheet ON sessions (worksheet, started DESC);
CREATE INDEX sessions_alive ON sessions (server) WHERE ended IS NULL;

CREATE TABLE runs (
    id         uuid PRIMARY KEY,
    session    uuid NOT NULL,
    worksheet  uuid NOT NULL,
    cell       uuid NOT NULL,
    code       text NOT NULL,
    queued     timestamptz NOT NULL,
    started    timestamptz,
    finished   timestamptz,
    status     text,                        -- ok, error, interrupted, cancelled, died
    reason     text
);
CREATE INDEX runs_of_cell ON runs (worksheet, cell, queued DESC);
CREATE INDEX runs_of_session ON runs (session);

-- The frames of a run, each an encoded salvus.Message (app/wire/messages.proto).
CREATE TABLE outputs (
    session  uuid NOT NULL,
    run      uuid NOT NULL,
    seq      bigint NOT NULL,
    frame    bytea NOT NULL,
    PRIMARY KEY (run, seq)
);
CREATE INDEX outputs_of_session ON outputs (session, seq);
ALTER TABLE outputs ALTER COLUMN frame SET STORAGE EXTERNAL;

-- Who is connected to which app server.
CREATE TABLE browsers (
    id         uuid PRIMARY KEY,
    account    uuid NOT NULL,
    worksheet  uuid NOT NULL,
    server     text NOT NULL,
    since      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX browsers_of_server ON browsers (server);

CREATE TABLE services (
    id           uuid PRIMARY KEY,
    type         text NOT NULL,
    name         text NOT NULL,
    site         text NOT NULL,
    host         text NOT NULL,
    address      text,
    port         integer,
    running      boolean NOT NULL,
    username     text NOT NULL,
    pid          integer NOT NULL,
    monitor_pid  integer NOT NULL,
    started      timestamptz NOT NULL,
    stopped      timestamptz,
    exit         text
);
CREATE INDEX services_running ON services (host) WHERE running;

CREATE TABLE status (
    service        uuid NOT NULL REFERENCES services ON DELETE CASCADE,
    time           timestamptz NOT NULL,
    load           real NOT NULL,              -- of the host, over 1 minute
    percent_mem    real NOT NULL,              -- of the host's memory
    percent_cpu    real NOT NULL,              -- of one core, since the last sample
    cputime        double precision NOT NULL,  -- seconds
    walltime       double precision NOT NULL,  -- seconds
    virtual_size   bigint NOT NULL,            -- bytes
    resident_size  bigint NOT NULL,            -- bytes
    PRIMARY KEY (service, time)
);
CREATE INDEX status_by_time ON status (time);

CREATE TABLE log (
    id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    service   text NOT NULL,
    logfile   text NOT NULL,
    "offset"  bigint NOT NULL,
    time      timestamptz NOT NULL,            -- when the line was written
    recorded  timestamptz NOT NULL DEFAULT now(),
    level     text,
    message   text NOT NULL,
    UNIQUE (logfile, "offset")
);
