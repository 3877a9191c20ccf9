-- What an attempt of many people has in common; a row of done names it instead of repeating it.
CREATE TABLE story(
  id INTEGER PRIMARY KEY,
  detail TEXT NOT NULL UNIQUE
) STRICT;

-- A job whose evidence is to be read says so itself: one row and one place in an index fewer for each person.
ALTER TABLE done ADD COLUMN provider INTEGER;
ALTER TABLE done ADD COLUMN binding INTEGER;
ALTER TABLE done ADD COLUMN proof_due INTEGER;
ALTER TABLE done ADD COLUMN reads INTEGER NOT NULL DEFAULT 0;
-- Of rows without a detail of their own.
ALTER TABLE done ADD COLUMN story INTEGER;
ALTER TABLE done ADD COLUMN request_id TEXT;

-- 0 and 1 are stored without a byte: with 2 for pending evidence, the row keeps its length when it comes in.
UPDATE done SET evidence = evidence + 1 WHERE evidence > 0;
UPDATE done SET provider = e.provider, binding = j.binding, proof_due = e.due, reads = e.reads
  FROM evidence e JOIN job j ON j.id = e.id WHERE e.id = done.id;
DROP TABLE evidence;
CREATE INDEX done_proof ON done(provider, proof_due) WHERE evidence = 2;
