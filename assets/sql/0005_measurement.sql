-- What servers were measured to do (`batchtop bench`): kept for comparing and estimating. A row
-- belongs to no job and outlives them all. What is not known is NULL.
CREATE TABLE measurement (
    id               INTEGER PRIMARY KEY,
    at               INTEGER NOT NULL,
    simulated        INTEGER NOT NULL CHECK (simulated IN (0, 1)),
    model            TEXT    NOT NULL,
    digest           TEXT,
    quantization     TEXT,
    card             TEXT,
    server_version   TEXT,
    -- JSON (model::Parallel): a number, or "auto".
    parallel         TEXT    NOT NULL,
    num_ctx          INTEGER,
    -- JSON (model::Work): requests, tokens and how the work was divided.
    work             TEXT    NOT NULL,
    seconds          REAL    NOT NULL,
    p50_ms           REAL,
    p95_ms           REAL,
    joules           REAL,
    joules_estimated REAL
) STRICT;

CREATE INDEX measurement_model ON measurement (model, at);
