-- Conversations and trims.

-- Which requests formed which conversation of a (job, model). Their order is that of the requests.
-- `dropped` says that the exchange was left out of the history by a trim.
CREATE TABLE conversation (
    request INTEGER PRIMARY KEY REFERENCES request (id) ON DELETE CASCADE,
    job     INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    model   INTEGER NOT NULL,
    number  INTEGER NOT NULL,
    dropped INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX conversation_order ON conversation (job, model, number, request);

-- What was left out of a prompt to make it fit. `reason` is JSON (model::TrimReason).
CREATE TABLE trim (
    id              INTEGER PRIMARY KEY,
    job             INTEGER NOT NULL REFERENCES job (id) ON DELETE CASCADE,
    request         INTEGER NOT NULL REFERENCES request (id) ON DELETE CASCADE,
    at              INTEGER NOT NULL,
    policy          TEXT    NOT NULL,
    reason          TEXT    NOT NULL,
    messages_before INTEGER NOT NULL,
    messages_after  INTEGER NOT NULL,
    tokens_before   INTEGER NOT NULL,
    tokens_after    INTEGER NOT NULL
) STRICT;

CREATE INDEX trim_job ON trim (job, id);
CREATE INDEX trim_request ON trim (request);
