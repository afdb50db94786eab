-- Dropboxes that people have connected: what lets the site in, sealed (app/dropbox_accounts.py).

CREATE TABLE dropbox_accounts (
    account    uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
    subject    text NOT NULL,                 -- Dropbox's id of the person
    name       text NOT NULL,
    email      text NOT NULL,
    tokens     bytea NOT NULL,
    connected  timestamptz NOT NULL DEFAULT now()
);

-- What was saved there, so that it is updated the next time if nobody has changed it there since.
CREATE TABLE dropbox_files (
    account    uuid NOT NULL REFERENCES dropbox_accounts ON DELETE CASCADE,
    worksheet  uuid NOT NULL REFERENCES worksheets ON DELETE CASCADE,
    path       text NOT NULL,                 -- in the worksheet's folder; empty: the worksheet
    wanted     text NOT NULL,                 -- the path there that was asked for ...
    saved_as   text NOT NULL,                 -- ... and the one that it got
    rev        text NOT NULL,
    PRIMARY KEY (account, worksheet, path)
);
CREATE INDEX dropbox_files_of_worksheet ON dropbox_files (worksheet);
