-- The text of a cell as several people edit it at once: the state of a Yjs document (app/texts.py).
-- NULL: the one that follows from the code.
ALTER TABLE cells ADD COLUMN text bytea;
