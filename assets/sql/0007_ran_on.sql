-- What a job ran on, for the report: model with digest and quantisation, server, driver and cards,
-- noted when a model was loaded for it. `told` is JSON (model::RanOn).
CREATE TABLE ran_on (
    id   INTEGER PRIMARY KEY,
    job  INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    at   INTEGER NOT NULL,
    told TEXT    NOT NULL
) STRICT;

CREATE INDEX ran_on_job ON ran_on (job, id);
