-- Sign-in with accounts that people have elsewhere.

-- Who somebody is there: the provider's own id for them, never their e-mail, which changes.
CREATE TABLE identities (
    provider  text NOT NULL,
    subject   text NOT NULL,
    account   uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    email     text NOT NULL DEFAULT '',       -- as they say it is, for people to read
    linked    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, subject)
);
CREATE UNIQUE INDEX identities_of_account ON identities (account, provider);

-- Browsers that are at a provider just now. Only hashes (SHA-256) of the secrets are kept, but for
-- what must be said again when they come back: PKCE's verifier, OpenID's nonce, an invitation.
CREATE TABLE flows (
    state      bytea PRIMARY KEY,             -- what comes back with the browser ...
    browser    bytea NOT NULL,                -- ... and the cookie it must have
    provider   text NOT NULL,
    data       jsonb NOT NULL,                -- Authlib's
    next       text NOT NULL,                 -- the page to go on to
    account    uuid REFERENCES accounts ON DELETE CASCADE, -- to link with; null: to sign in
    invitation text NOT NULL DEFAULT '',      -- a link that lets the person join
    expires    timestamptz NOT NULL
);
