-- The queue. Times are milliseconds since 1970, UTC. Released migrations are never edited.

-- One batch file. The counts are kept by the writer in the same transaction as what they count.
CREATE TABLE job (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    name          TEXT    NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN (
                      'reading', 'queued', 'running', 'paused', 'finishing',
                      'done', 'cancelled', 'failed-to-start')),
    why           TEXT,
    priority      INTEGER NOT NULL DEFAULT 0,
    position      INTEGER NOT NULL DEFAULT 0,
    settings      TEXT    NOT NULL,
    source        TEXT    NOT NULL,
    endpoint      TEXT,
    total         INTEGER NOT NULL DEFAULT 0,
    done          INTEGER NOT NULL DEFAULT 0,
    failed        INTEGER NOT NULL DEFAULT 0,
    cut           INTEGER NOT NULL DEFAULT 0,
    prompt_tokens INTEGER NOT NULL DEFAULT 0,
    answer_tokens INTEGER NOT NULL DEFAULT 0,
    created       INTEGER NOT NULL,
    started       INTEGER,
    finished      INTEGER
) STRICT;

-- The models that the requests of a job name, in order of appearance.
CREATE TABLE job_model (
    job     INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    ordinal INTEGER NOT NULL,
    name    TEXT    NOT NULL,
    PRIMARY KEY (job, ordinal)
) STRICT, WITHOUT ROWID;

-- A long JSON value that several requests of a job share.
CREATE TABLE text (
    job     INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    content TEXT    NOT NULL,
    PRIMARY KEY (job, number)
) STRICT;

-- A request: what lists and claims need, and nothing more.
-- state: 0 queued, 1 claimed, 2 done, 3 failed (model::RequestState).
CREATE TABLE request (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    job       INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    seq       INTEGER NOT NULL,
    line      INTEGER NOT NULL,
    custom_id TEXT,
    state     INTEGER NOT NULL CHECK (state BETWEEN 0 AND 3),
    model     INTEGER NOT NULL,
    prefix    INTEGER NOT NULL,
    sent      INTEGER NOT NULL DEFAULT 0,
    counted   INTEGER NOT NULL DEFAULT 0,
    crashes   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX request_seq ON request (job, seq);
CREATE UNIQUE INDEX request_custom_id ON request (job, custom_id);
-- What runs next: one model after the other, equal beginnings side by side, then input order.
CREATE INDEX request_queue ON request (job, model, prefix, seq) WHERE state = 0;
CREATE INDEX request_claimed ON request (job) WHERE state = 1;
-- Lists of requests in one state, in input order.
CREATE INDEX request_state ON request (job, state, seq);

-- The body of a request with its shared texts cut out. `cuts` is a JSON list of [offset, number]:
-- at that byte of `rest` the text of that number goes in.
CREATE TABLE body (
    request INTEGER PRIMARY KEY REFERENCES request (id) ON DELETE CASCADE,
    rest    TEXT NOT NULL,
    cuts    TEXT
) STRICT;

-- How a request ended: an answer, or a failure with its class.
CREATE TABLE outcome (
    request INTEGER PRIMARY KEY REFERENCES request (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    answer  TEXT,
    -- For lists and statistics, so that they need not read the answers.
    prompt_tokens INTEGER,
    answer_tokens INTEGER,
    wall_ms       INTEGER,
    -- A failure's class, and its message without what differs from request to request.
    class   TEXT,
    pattern TEXT,
    failure TEXT,
    CHECK ((answer IS NULL) <> (failure IS NULL)),
    CHECK ((class IS NULL) = (failure IS NULL))
) STRICT;

-- Failed attempts that count, whatever became of the request later.
CREATE TABLE attempt (
    request INTEGER NOT NULL REFERENCES request (id) ON DELETE CASCADE,
    number  INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    failure TEXT    NOT NULL,
    PRIMARY KEY (request, number)
) STRICT, WITHOUT ROWID;

-- What happened, for the log and the time line.
CREATE TABLE event (
    id   INTEGER PRIMARY KEY,
    job  INTEGER REFERENCES job (id) ON DELETE CASCADE,
    at   INTEGER NOT NULL,
    kind TEXT    NOT NULL,
    text TEXT    NOT NULL
) STRICT;

CREATE INDEX event_job ON event (job, at);
