-- Processor time by time: who keeps processors busy for hours (app/mining.py). A row is of one session
-- in one slice of time and has all that it used in it, so that a repeat is harmless.

CREATE TABLE consumption (
    session      uuid NOT NULL,
    since        timestamptz NOT NULL,                -- when the slice begins ...
    seconds      double precision NOT NULL,           -- ... and how long it is
    account      uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    cpu_seconds  double precision NOT NULL,
    PRIMARY KEY (session, since)
);
CREATE INDEX consumption_by_time ON consumption (since);
CREATE INDEX consumption_of_account ON consumption (account, since);

-- The same of guests by their address: who comes back as another guest has no account of before.
-- No foreign key: the id of a guest who is deleted names nobody.
CREATE TABLE guest_consumption (
    session      uuid NOT NULL,
    since        timestamptz NOT NULL,
    seconds      double precision NOT NULL,
    guest        uuid NOT NULL,
    network      text NOT NULL,                       -- as app/attempts.py counts addresses
    cpu_seconds  double precision NOT NULL,
    PRIMARY KEY (session, since)
);
CREATE INDEX guest_consumption_by_time ON guest_consumption (since);
CREATE INDEX guest_consumption_of_network ON guest_consumption (network, since);
