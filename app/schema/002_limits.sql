-- Limits differ by kind of user; some hold for all sage servers of the site together.

ALTER TABLE accounts DROP CONSTRAINT accounts_role_check;
ALTER TABLE accounts ADD CONSTRAINT accounts_role_check
    CHECK (role IN ('owner', 'administrator', 'teacher', 'member', 'guest'));

ALTER TABLE sessions ADD COLUMN account text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN kind text NOT NULL DEFAULT '';  -- of user

-- Sage servers and when they were last heard of: the sessions of one that is silent don't count.
CREATE TABLE sage_servers (
    address  text PRIMARY KEY,              -- host:port
    seen     timestamptz NOT NULL
);
