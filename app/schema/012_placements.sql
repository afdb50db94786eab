-- Where the session that a run begins has its server: who else watches the worksheet goes there.
-- It says something for seconds only, until the session itself is recorded.

CREATE UNLOGGED TABLE placements (
    worksheet  uuid PRIMARY KEY,
    server     text NOT NULL,             -- host:port
    chosen     timestamptz NOT NULL
);
CREATE INDEX placements_by_time ON placements (chosen);

ALTER TABLE services ADD COLUMN cores integer NOT NULL DEFAULT 1;  -- of the host's processor
