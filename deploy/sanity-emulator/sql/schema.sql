CREATE TABLE IF NOT EXISTS dataset (
  key INTEGER PRIMARY KEY,
  project TEXT NOT NULL,
  name TEXT NOT NULL,
  acl_mode TEXT NOT NULL CHECK (acl_mode IN ('public', 'private')),
  UNIQUE (project, name)
);

-- Every accepted transaction, written in one append: the truth. Its id can't be used a second time.
CREATE TABLE IF NOT EXISTS transaction_log (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  dataset INTEGER NOT NULL,
  id TEXT NOT NULL,
  at TEXT NOT NULL,
  author TEXT NOT NULL,
  mutations TEXT NOT NULL,
  -- [[document id, its body as JSON text or null], ...] after the transaction.
  states TEXT NOT NULL,
  UNIQUE (dataset, id)
);

-- What follows is folded from the log a little later, so that a start needn't read all of it.
CREATE TABLE IF NOT EXISTS document (
  dataset INTEGER NOT NULL,
  id TEXT NOT NULL,
  body TEXT NOT NULL,
  PRIMARY KEY (dataset, id)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS revision (
  dataset INTEGER NOT NULL,
  document TEXT NOT NULL,
  seq INTEGER NOT NULL,
  PRIMARY KEY (dataset, document, seq)
) WITHOUT ROWID;

-- The last transaction that is wholly in the two tables above.
CREATE TABLE IF NOT EXISTS folded (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL
);
INSERT OR IGNORE INTO folded (one, seq) VALUES (1, 0);
