-- How many requests of a job have failed with which class, kept by the writer in the same
-- transaction as the failures, so that nobody has to count them.
CREATE TABLE failed_class (
    job   INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    class TEXT    NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (job, class)
) STRICT, WITHOUT ROWID;

INSERT INTO failed_class (job, class, count)
    SELECT r.job, o.class, count(*) FROM request r JOIN outcome o ON o.request = r.id
    WHERE r.state = 3 GROUP BY r.job, o.class;

-- What lists show and sort by, beside the answers: reading those would read the whole file.
CREATE INDEX outcome_list ON outcome (
    request, at, class, prompt_tokens, answer_tokens, wall_ms
);
