-- The folders of worksheets. A file that is not complete is an upload under way.
CREATE TABLE files (
    id         uuid PRIMARY KEY,
    worksheet  uuid NOT NULL REFERENCES worksheets ON DELETE CASCADE,
    path       text NOT NULL,                          -- from the folder on
    size       bigint NOT NULL,                        -- bytes, once it is complete
    received   bigint NOT NULL DEFAULT 0,              -- bytes that are here
    complete   boolean NOT NULL DEFAULT false,
    mark       text NOT NULL DEFAULT '',               -- of what is uploaded: to go on with it
    changed    timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX files_by_path ON files (worksheet, path) WHERE complete;
CREATE INDEX files_of_worksheet ON files (worksheet);

CREATE TABLE file_pieces (
    file    uuid NOT NULL REFERENCES files ON DELETE CASCADE,
    start   bigint NOT NULL,                           -- bytes before it
    data    bytea NOT NULL,
    PRIMARY KEY (file, start)
);
ALTER TABLE file_pieces ALTER COLUMN data SET STORAGE EXTERNAL;
