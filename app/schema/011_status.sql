-- What monitors know besides what the kernel does, and when each was last heard of.

ALTER TABLE status ADD COLUMN sessions integer;       -- of a sage server: in use ...
ALTER TABLE status ADD COLUMN sessions_free integer;  -- ... and how many more there may be
ALTER TABLE status ADD COLUMN browsers integer;       -- connected to an app server
ALTER TABLE status ADD COLUMN hub_lag real;           -- seconds its greenlets run late, at worst

CREATE INDEX services_by_name ON services (site, name, started);

-- A host whose monitor is silent has no services that run.
CREATE TABLE monitors (
    site     text NOT NULL,
    host     text NOT NULL,
    pid      integer NOT NULL,
    seen     timestamptz NOT NULL,
    PRIMARY KEY (site, host)
);
INSERT INTO monitors SELECT DISTINCT site, host, 0, now() FROM services WHERE running;
