-- Classes: who teaches and attends them, and worksheets that go out to all and come back.

CREATE TABLE classes (
    id        uuid PRIMARY KEY,
    title     text NOT NULL,
    zone      text NOT NULL DEFAULT 'UTC',          -- in which its deadlines are set and told
    created   timestamptz NOT NULL DEFAULT now(),
    archived  timestamptz
);

-- A class whose teachers' accounts are gone stays: it is the administrators'.
CREATE TABLE class_teachers (
    class    uuid NOT NULL REFERENCES classes ON DELETE CASCADE,
    account  uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    PRIMARY KEY (class, account)
);
CREATE INDEX class_teachers_of_account ON class_teachers (account);

CREATE TABLE class_members (
    class    uuid NOT NULL REFERENCES classes ON DELETE CASCADE,
    account  uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    joined   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (class, account)
);
CREATE INDEX class_members_of_account ON class_members (account);

ALTER TABLE join_codes
    ADD COLUMN class uuid REFERENCES classes ON DELETE CASCADE;  -- of which people become members
CREATE INDEX join_codes_of_class ON join_codes (class);

-- A worksheet as it was handed out, with its files.
CREATE TABLE handouts (
    id         uuid PRIMARY KEY,
    class      uuid NOT NULL REFERENCES classes ON DELETE CASCADE,
    title      text NOT NULL,
    notebook   text NOT NULL,
    created    timestamptz NOT NULL DEFAULT now(),
    deadline   timestamptz,                         -- NULL: it is collected when a teacher says so
    collected  timestamptz
);
CREATE INDEX handouts_of_class ON handouts (class, created);
CREATE INDEX handouts_due ON handouts (deadline) WHERE collected IS NULL;

CREATE TABLE handout_files (
    id       uuid PRIMARY KEY,
    handout  uuid NOT NULL REFERENCES handouts ON DELETE CASCADE,
    path     text NOT NULL,
    size     bigint NOT NULL                        -- bytes
);
CREATE INDEX handout_files_of_handout ON handout_files (handout);

CREATE TABLE handout_pieces (
    file   uuid NOT NULL REFERENCES handout_files ON DELETE CASCADE,
    start  bigint NOT NULL,                         -- bytes before it
    data   bytea NOT NULL,
    PRIMARY KEY (file, start)
);
ALTER TABLE handout_pieces ALTER COLUMN data SET STORAGE EXTERNAL;

-- A student's copy: a worksheet of theirs, and what was collected of it.
CREATE TABLE handed_copies (
    handout    uuid NOT NULL REFERENCES handouts ON DELETE CASCADE,
    account    uuid NOT NULL REFERENCES accounts ON DELETE CASCADE,
    worksheet  uuid REFERENCES worksheets ON DELETE SET NULL,
    made       timestamptz NOT NULL DEFAULT now(),
    collected  timestamptz,
    as_of      timestamptz,                         -- the notebook is the worksheet as it was then
    notebook   text,                                -- NULL though collected: the worksheet was gone
    comment    text NOT NULL DEFAULT '',            -- Markdown
    returned   timestamptz,                         -- since then the student reads the comments
    PRIMARY KEY (handout, account)
);
CREATE INDEX handed_copies_of_account ON handed_copies (account);
CREATE INDEX handed_copies_of_worksheet ON handed_copies (worksheet);

CREATE TABLE cell_comments (
    handout  uuid NOT NULL,
    account  uuid NOT NULL,
    cell     integer NOT NULL,                      -- its place in the collected notebook, from 0
    comment  text NOT NULL,                         -- Markdown
    PRIMARY KEY (handout, account, cell),
    FOREIGN KEY (handout, account) REFERENCES handed_copies ON DELETE CASCADE
);

-- A teacher goes into a student's worksheet, and may stay until `expires`. The student is shown it.
CREATE TABLE visits_of_teachers (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worksheet  uuid NOT NULL REFERENCES worksheets ON DELETE CASCADE,
    account    uuid REFERENCES accounts ON DELETE SET NULL,
    began      timestamptz NOT NULL DEFAULT now(),
    expires    timestamptz NOT NULL
);
CREATE INDEX visits_of_teachers_by_worksheet ON visits_of_teachers (worksheet, began DESC);
