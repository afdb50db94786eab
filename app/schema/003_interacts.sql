-- Frames of interacts: what a finished update has replaced is deleted (app/sage/recorder.py).

ALTER TABLE outputs ADD COLUMN area uuid;                        -- the interact it belongs into
ALTER TABLE outputs ADD COLUMN update bigint NOT NULL DEFAULT 0; -- of that; 0: of the run itself
ALTER TABLE outputs ADD COLUMN shows uuid;                       -- the interact it shows
CREATE INDEX outputs_of_area ON outputs (run, area) WHERE area IS NOT NULL;
