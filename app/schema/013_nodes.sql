-- How the site's own servers know and find each other, and who is connected to which of them.

-- The site's token, and those before it for as long as they are still good.
CREATE TABLE tokens (
    token    text PRIMARY KEY,
    made     timestamptz NOT NULL DEFAULT now(),
    expires  timestamptz                     -- null: the one in use
);
CREATE UNIQUE INDEX tokens_in_use ON tokens ((true)) WHERE expires IS NULL;

-- App servers and when they were last heard of: the browsers of one that is silent are forgotten.
-- Unlogged, as that of browsers: who is connected is not waited for a disk to know, and app servers
-- write it anew after a crash.
CREATE UNLOGGED TABLE app_servers (
    address  text PRIMARY KEY,               -- host:port at which other app servers reach it
    seen     timestamptz NOT NULL
);

ALTER TABLE browsers SET UNLOGGED;
CREATE INDEX browsers_of_account ON browsers (account);
CREATE INDEX browsers_of_worksheet ON browsers (worksheet);
