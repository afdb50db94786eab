-- Files beside what was collected are kept as those beside what was handed out.
ALTER TABLE handout_files
    ADD COLUMN account uuid REFERENCES accounts ON DELETE CASCADE;  -- of whom; NULL: handed out
DROP INDEX handout_files_of_handout;
CREATE INDEX handout_files_of_handout ON handout_files (handout, account);
CREATE INDEX handout_files_of_account ON handout_files (account);
