-- What administrators see of sessions, and how what is deleted is deleted everywhere.

-- What each live session uses, as its sage server says. Unlogged: it is said again after a crash.
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

-- What was deleted and a sage server may still have something of: it works this off (app/burials.py).
CREATE TABLE burials (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    server      text NOT NULL,                -- host:port of a sage server
    account     text NOT NULL,                -- whose, if the whole account was deleted; or empty
    worksheets  uuid[] NOT NULL,
    since       timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX burials_of_server ON burials (server);
