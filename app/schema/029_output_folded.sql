-- Output that is long, or spoils the exercise, is shown when somebody asks for it.
ALTER TABLE cells ADD COLUMN output_folded boolean NOT NULL DEFAULT false;
