-- Local accounts, and sign-ins that can be told apart and ended one by one.

ALTER TABLE accounts
    ADD COLUMN login text,                              -- with a password; unique whatever its case
    ADD COLUMN password text,                           -- Argon2's hash, with its parameters
    ADD COLUMN email text NOT NULL DEFAULT '',
    ADD COLUMN disabled timestamptz,
    ADD COLUMN disabled_because text NOT NULL DEFAULT '';
CREATE UNIQUE INDEX accounts_by_login ON accounts (lower(login));

ALTER TABLE sign_ins
    ADD COLUMN how text NOT NULL DEFAULT 'address',     -- or password, guest, invitation, a provider
    ADD COLUMN address text NOT NULL DEFAULT '',        -- from where
    ADD COLUMN agent text NOT NULL DEFAULT '',          -- the browser, as it calls itself
    ADD COLUMN seen timestamptz NOT NULL DEFAULT now(); -- to the hour
CREATE INDEX sign_ins_of_account ON sign_ins (account);

-- One-time links: `sign-in` signs in as an account, `password` sets its password, `join` makes one.
ALTER TABLE invitations
    ALTER COLUMN account DROP NOT NULL,
    ADD COLUMN purpose text NOT NULL DEFAULT 'sign-in'
        CHECK (purpose IN ('sign-in', 'password', 'join')),
    ADD COLUMN role text NOT NULL DEFAULT 'member',     -- of the account that `join` makes
    ADD CONSTRAINT invitations_account CHECK ((account IS NULL) = (purpose = 'join'));

-- Tries at secrets that people choose or type; `subject` is an account's login or an address.
CREATE TABLE attempts (
    subject  text NOT NULL,
    time     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX attempts_of_subject ON attempts (subject, time);
CREATE INDEX attempts_by_time ON attempts (time);

-- Sign-ins and administration. No foreign keys: what has happened stays.
CREATE TABLE audit (
    id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time     timestamptz NOT NULL DEFAULT now(),
    actor    text NOT NULL,          -- an account, or "operator" at the command line
    action   text NOT NULL,
    subject  text NOT NULL DEFAULT '',  -- the account it was done to
    detail   text NOT NULL DEFAULT '',
    address  text NOT NULL DEFAULT ''   -- from where
);
CREATE INDEX audit_by_time ON audit (time);
CREATE INDEX audit_of_subject ON audit (subject, id);
CREATE INDEX audit_of_actor ON audit (actor, id);
