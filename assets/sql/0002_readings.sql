-- What the cards and the server said while a job ran, for the report.

-- Energy that the cards used for a job; unknown where none tells.
ALTER TABLE job ADD COLUMN joules REAL;
ALTER TABLE job ADD COLUMN joules_estimated REAL;
-- How many readings are kept of a job, and the least time between two of them in milliseconds.
-- Both are kept by the writer: when there are too many, every second one goes and the time doubles.
ALTER TABLE job ADD COLUMN readings INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job ADD COLUMN readings_step INTEGER NOT NULL DEFAULT 9000;

CREATE TABLE reading (
    id                       INTEGER PRIMARY KEY,
    job                      INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    at                       INTEGER NOT NULL,
    lanes                    INTEGER NOT NULL,
    -- Bytes of all models in the server's memory, and those of them on cards, as it reports.
    server_size              INTEGER,
    server_size_vram         INTEGER,
    requests_per_second      REAL,
    answer_tokens_per_second REAL,
    -- A JSON list with one entry for each card (store::CardPoint).
    cards                    TEXT NOT NULL
) STRICT;

CREATE INDEX reading_job ON reading (job, id);
