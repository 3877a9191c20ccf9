-- Takes a database from the second step of the schema back to the first, as an older rescind would have left it.
CREATE TABLE evidence(
  id INTEGER PRIMARY KEY,
  provider INTEGER NOT NULL,
  due INTEGER NOT NULL,
  reads INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX evidence_due ON evidence(provider, due);
INSERT INTO evidence SELECT id, provider, proof_due, reads FROM done WHERE evidence = 2;

DROP INDEX done_proof;
UPDATE done SET detail = (SELECT json_set(s.detail, '$.vendor_request_id', done.request_id) FROM story s WHERE s.id = done.story)
  WHERE story IS NOT NULL;
UPDATE done SET evidence = evidence - 1 WHERE evidence > 0;
ALTER TABLE done DROP COLUMN provider;
ALTER TABLE done DROP COLUMN binding;
ALTER TABLE done DROP COLUMN proof_due;
ALTER TABLE done DROP COLUMN reads;
ALTER TABLE done DROP COLUMN story;
ALTER TABLE done DROP COLUMN request_id;
DROP TABLE story;
PRAGMA user_version = 1;
