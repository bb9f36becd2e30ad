-- name: datasets
SELECT key, project, name, acl_mode AS aclMode FROM dataset ORDER BY key;

-- name: add_dataset
INSERT INTO dataset (project, name, acl_mode) VALUES (?, ?, ?) RETURNING key;

-- name: remove_dataset
DELETE FROM dataset WHERE key = ?;

-- name: remove_documents
DELETE FROM document WHERE dataset = ?;

-- name: remove_revisions
DELETE FROM revision WHERE dataset = ?;

-- name: remove_transactions
DELETE FROM transaction_log WHERE dataset = ?;

-- name: documents
SELECT body FROM document WHERE dataset = ?;

-- name: has_transaction
SELECT 1 AS found FROM transaction_log WHERE dataset = ? AND id = ?;

-- name: add_transaction
INSERT INTO transaction_log (dataset, id, at, author, mutations, states) VALUES (?, ?, ?, ?, ?, ?)
RETURNING seq;

-- name: last_seq
SELECT max((SELECT seq FROM folded), coalesce((SELECT max(seq) FROM transaction_log), 0)) AS seq;

-- name: set_folded
UPDATE folded SET seq = ?;

-- name: unfolded
SELECT seq, dataset, states FROM transaction_log WHERE seq > (SELECT seq FROM folded) ORDER BY seq;

-- name: put_document
INSERT INTO document (dataset, id, body) VALUES (?, ?, ?)
ON CONFLICT (dataset, id) DO UPDATE SET body = excluded.body;

-- name: delete_document
DELETE FROM document WHERE dataset = ? AND id = ?;

-- name: add_revision
INSERT OR IGNORE INTO revision (dataset, document, seq) VALUES (?, ?, ?);

-- name: forgettable
SELECT seq, dataset, states FROM transaction_log WHERE seq <= ? ORDER BY seq LIMIT ?;

-- name: forget_revision
DELETE FROM revision WHERE dataset = ? AND document = ? AND seq = ?;

-- name: forget_transaction
DELETE FROM transaction_log WHERE seq = ?;

-- name: transactions
SELECT seq, id, at, author, mutations, states FROM transaction_log
WHERE dataset = ? AND seq > ? ORDER BY seq;

-- name: transaction
SELECT seq, id, at, author, mutations, states FROM transaction_log WHERE dataset = ? AND id = ?;

-- name: transaction_by_seq
SELECT seq, id, at, author, mutations, states FROM transaction_log WHERE seq = ?;

-- name: revisions_of
SELECT seq FROM revision WHERE dataset = ? AND document = ?;
