-- Times are microseconds since 1970 in UTC. States are places in JobState::ALL.

CREATE TABLE meta(
  name TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE provider(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE
) STRICT;

-- An order without accepted_at is staged. A key is never given twice: job numbers of a swept order must not return.
CREATE TABLE orders(
  key INTEGER PRIMARY KEY AUTOINCREMENT,
  id BLOB NOT NULL UNIQUE,
  note TEXT,
  reference TEXT,
  actor TEXT,
  authenticated_by TEXT NOT NULL,
  urgent INTEGER NOT NULL,
  verify INTEGER NOT NULL,
  retry_of BLOB,
  created_at INTEGER NOT NULL,
  staged INTEGER NOT NULL DEFAULT 0,
  accepted_at INTEGER,
  plan_hash TEXT,
  people INTEGER,
  paused TEXT,
  cancelled INTEGER NOT NULL DEFAULT 0,
  open INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX orders_open ON orders(key) WHERE open > 0;
CREATE INDEX orders_staged ON orders(created_at) WHERE accepted_at IS NULL;

-- What an order is bound to, with the counters of its jobs there.
CREATE TABLE binding(
  ord INTEGER NOT NULL REFERENCES orders(key),
  idx INTEGER NOT NULL,
  provider INTEGER NOT NULL REFERENCES provider(id),
  kind TEXT NOT NULL,
  vendor_tenant TEXT NOT NULL,
  pending INTEGER NOT NULL DEFAULT 0,
  running INTEGER NOT NULL DEFAULT 0,
  waiting INTEGER NOT NULL DEFAULT 0,
  parked INTEGER NOT NULL DEFAULT 0,
  confirmed INTEGER NOT NULL DEFAULT 0,
  gone INTEGER NOT NULL DEFAULT 0,
  refused INTEGER NOT NULL DEFAULT 0,
  cancelled INTEGER NOT NULL DEFAULT 0,
  evidence INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(ord, idx)
) STRICT, WITHOUT ROWID;

-- What was asked; written once. The number is order << 32 | place, so the jobs of an order are neighbours.
CREATE TABLE job(
  id INTEGER PRIMARY KEY,
  binding INTEGER NOT NULL,
  subject TEXT,
  salt BLOB NOT NULL,
  alias TEXT,
  scope TEXT,
  resolved_id TEXT,
  resolved_name TEXT
) STRICT;

-- A row while the job is pending, running, waiting or parked: the hot table stays small.
CREATE TABLE open(
  id INTEGER PRIMARY KEY,
  provider INTEGER NOT NULL,
  binding INTEGER NOT NULL,
  state INTEGER NOT NULL,
  token INTEGER NOT NULL DEFAULT 0,
  attempts INTEGER NOT NULL DEFAULT 0,
  calls INTEGER NOT NULL DEFAULT 0,
  due INTEGER,
  why INTEGER,
  started_at INTEGER,
  account INTEGER,
  resolved_id TEXT,
  resolved_name TEXT,
  detail TEXT
) STRICT;
CREATE INDEX open_due ON open(provider, due) WHERE state = 2;
CREATE INDEX open_parked ON open(id) WHERE state = 3;
-- One attempt in flight for each account, by constraint. An attempt without a call has no account here.
CREATE UNIQUE INDEX open_running ON open(account) WHERE state = 1;

-- A row once the job is confirmed, gone, refused or cancelled.
CREATE TABLE done(
  id INTEGER PRIMARY KEY,
  state INTEGER NOT NULL,
  at INTEGER NOT NULL,
  attempts INTEGER NOT NULL,
  called INTEGER NOT NULL,
  evidence INTEGER NOT NULL,
  started_at INTEGER,
  effective_by INTEGER,
  provider_time INTEGER,
  resolved_id TEXT,
  resolved_name TEXT,
  detail TEXT
) STRICT;

CREATE TABLE evidence(
  id INTEGER PRIMARY KEY,
  provider INTEGER NOT NULL,
  due INTEGER NOT NULL,
  reads INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX evidence_due ON evidence(provider, due);

-- Keyed hashes of accounts and spellings we once resolved, with the last job that says so. Fresh ones lie in seen_log,
-- one row for each commit, and move over sorted: a random place in a large table costs a page each.
CREATE TABLE seen(
  hash INTEGER PRIMARY KEY,
  job INTEGER NOT NULL
) STRICT;
CREATE TABLE seen_log(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  hashes BLOB NOT NULL
) STRICT;

CREATE TABLE spend(
  provider INTEGER NOT NULL,
  at INTEGER NOT NULL,
  budget TEXT NOT NULL,
  units INTEGER NOT NULL,
  PRIMARY KEY(provider, at, budget)
) STRICT, WITHOUT ROWID;

CREATE TABLE lane(
  provider INTEGER PRIMARY KEY,
  memory TEXT NOT NULL
) STRICT;

CREATE TABLE audit(
  seq INTEGER PRIMARY KEY,
  hash BLOB NOT NULL,
  body BLOB NOT NULL
) STRICT;

-- Openings of acceptances and acts; those of outcomes are the subject and salt of the job.
CREATE TABLE opening(
  seq INTEGER NOT NULL,
  field TEXT NOT NULL,
  salt BLOB NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY(seq, field)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoint(
  size INTEGER PRIMARY KEY,
  note TEXT NOT NULL,
  tree BLOB NOT NULL
) STRICT;
