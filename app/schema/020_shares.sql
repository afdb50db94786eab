-- Links by which a worksheet can be read by whoever has them.
CREATE TABLE shares (
    key        text PRIMARY KEY,
    worksheet  uuid NOT NULL REFERENCES worksheets ON DELETE CASCADE,
    account    uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,   -- who shares it
    created    timestamptz NOT NULL DEFAULT now(),
    expires    timestamptz,                                           -- NULL: never
    notebook   text                         -- what is shown, as of then; NULL: the worksheet as it is
);
CREATE INDEX shares_of_worksheet ON shares (worksheet);
