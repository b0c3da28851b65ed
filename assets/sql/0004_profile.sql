-- What was learnt about a model on a card with certain load options: on another ground it says
-- nothing. `num_ctx` 0 is "left to the server". `learnt` is JSON, so that a later figure needs no
-- new format; a row that cannot be read is passed over.
CREATE TABLE profile (
    digest  TEXT    NOT NULL,
    card    TEXT    NOT NULL,
    num_ctx INTEGER NOT NULL,
    slots   INTEGER NOT NULL,
    model   TEXT    NOT NULL,
    at      INTEGER NOT NULL,
    learnt  TEXT    NOT NULL,
    PRIMARY KEY (digest, card, num_ctx, slots)
) STRICT, WITHOUT ROWID;

-- Tokens of a prompt that were not read again, where that is known.
ALTER TABLE outcome ADD COLUMN reused_tokens INTEGER;

-- The same for a job as a whole, kept by the same commits.
CREATE TABLE reuse (
    job           INTEGER PRIMARY KEY REFERENCES job (id) ON DELETE CASCADE,
    requests      INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    reused_tokens INTEGER NOT NULL,
    saved_us      INTEGER NOT NULL
) STRICT;
