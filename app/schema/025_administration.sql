-- What each live session uses, as its sage server says, for administrators. Unlogged: it is said
-- again after a crash.
CREATE UNLOGGED TABLE session_use (
    session      uuid PRIMARY KEY,
    server       text NOT NULL,               -- host:port, as in sessions
    state        text NOT NULL,               -- waiting, starting, busy or idle
    cpu_seconds  double precision NOT NULL,   -- of all its processes, since it began
    percent_cpu  real NOT NULL,               -- of one core, since it was said last
    memory       bigint NOT NULL,             -- bytes
    processes    integer NOT NULL,
    used         timestamptz NOT NULL         -- when somebody computed or was there last
);
CREATE INDEX session_use_of_server ON session_use (server);

-- Who deletes an account waits for a look at what may refer to it.
CREATE INDEX changes_of_account ON changes (account);
CREATE INDEX shares_of_account ON shares (account);
CREATE INDEX visits_of_teachers_by_account ON visits_of_teachers (account);
