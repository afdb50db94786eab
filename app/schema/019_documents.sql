-- Documents: a trash, stars, kinds of cells, and every version of each cell.

ALTER TABLE worksheets
    ADD COLUMN deleted timestamptz,                     -- in the trash since then
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}';    -- of the notebook it was imported from
CREATE INDEX worksheets_of_account ON worksheets (account, changed DESC);

CREATE TABLE stars (
    account    uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    worksheet  uuid NOT NULL REFERENCES worksheets ON DELETE CASCADE,
    PRIMARY KEY (account, worksheet)
);

-- A deleted cell stays: it may be wanted back, and its output with it.
ALTER TABLE cells
    ADD COLUMN kind text NOT NULL DEFAULT 'code' CHECK (kind IN ('code', 'markdown', 'raw')),
    ADD COLUMN folded boolean NOT NULL DEFAULT false,   -- only its output is shown
    ADD COLUMN auto boolean NOT NULL DEFAULT false,     -- run when the worksheet is opened
    ADD COLUMN deleted boolean NOT NULL DEFAULT false,
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}';    -- of the notebook it was imported from

-- What a cell was from `began` to a later row of it. One burst of typing is one row.
CREATE TABLE changes (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worksheet  uuid NOT NULL REFERENCES worksheets ON DELETE CASCADE,
    cell       uuid NOT NULL,
    account    uuid REFERENCES accounts ON DELETE SET NULL,
    began      timestamptz NOT NULL DEFAULT now(),
    time       timestamptz NOT NULL DEFAULT now(),
    position   double precision NOT NULL,
    code       text NOT NULL,
    kind       text NOT NULL,
    deleted    boolean NOT NULL
);
CREATE INDEX changes_of_worksheet ON changes (worksheet, id);
CREATE INDEX changes_of_cell ON changes (cell, id DESC);

INSERT INTO changes (worksheet, cell, account, began, time, position, code, kind, deleted)
SELECT worksheet, cells.id, account, cells.changed, cells.changed, position, code, 'code', false
FROM cells JOIN worksheets ON worksheets.id = cells.worksheet
ORDER BY cells.changed, cells.id;
