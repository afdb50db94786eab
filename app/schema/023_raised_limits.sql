-- What somebody may use beyond their kind's limits, for a time, as an administrator has said.
CREATE TABLE raised_limits (
    account  uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    name     text NOT NULL,                            -- a key of [limits]
    value    jsonb NOT NULL,                           -- a number, or a list of destinations
    reason   text NOT NULL,
    actor    text NOT NULL,                            -- an account, or "operator"
    created  timestamptz NOT NULL DEFAULT now(),
    expires  timestamptz NOT NULL,
    PRIMARY KEY (account, name)
);

-- Runs that were begun, by whom a limit counts them for: `account ID` or `address NETWORK`. They say
-- something for an hour only.
CREATE UNLOGGED TABLE run_counts (
    subject  text NOT NULL,
    server   text NOT NULL,                            -- host:port of the sage server
    slot     bigint NOT NULL,                          -- the minute: Unix seconds / 60
    count    integer NOT NULL,
    changed  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (subject, server, slot)
);
CREATE INDEX run_counts_by_change ON run_counts (changed);

-- From where a session was begun, while it runs and only if a limit counts by that.
ALTER TABLE sessions ADD COLUMN address text NOT NULL DEFAULT '';
