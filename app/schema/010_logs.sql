-- How far logs have been shipped: a row for each file of a log that is still there. A log's
-- offset counts over all its files, as if it had never been rotated.

CREATE TABLE log_files (
    logfile   text NOT NULL,     -- host:path, as in table log
    base      bigint NOT NULL,   -- offset in the log of the file's first byte
    device    bigint NOT NULL,
    inode     bigint NOT NULL,
    head      bytea NOT NULL,    -- its first bytes, by which it is recognised, too
    position  bigint NOT NULL,   -- so many of its bytes have been shipped
    PRIMARY KEY (logfile, base)
);

CREATE INDEX log_by_time ON log (time);
CREATE INDEX log_of_service ON log (service, id);
