-- Codes by which many people, such as a class, make accounts of their own.
CREATE TABLE join_codes (
    code     text PRIMARY KEY,
    title    text NOT NULL DEFAULT '',                 -- whom it is for
    role     text NOT NULL DEFAULT 'member',
    seats    integer NOT NULL,
    used     integer NOT NULL DEFAULT 0,
    created  timestamptz NOT NULL DEFAULT now(),
    expires  timestamptz NOT NULL,
    CHECK (used <= seats)
);
