-- name: lock
-- Held to the end of the transaction, so that of two migrators one waits and then finds it done.
select pg_advisory_xact_lock(hashtextextended('migration of schema ' || %(schema)s, 0));

-- name: schema_exists
-- `create schema if not exists` asks for the right to create even where there is nothing to do.
select to_regnamespace(quote_ident(%(schema)s)) is not null;

-- name: create_schema
create schema {schema};

-- name: journal_exists
select to_regclass(quote_ident(%(schema)s) || '.migration') is not null;

-- name: create_journal
create table {schema}.migration (
    name text constraint migration_pkey primary key,
    checksum text not null,
    applied_at timestamptz not null default now()
);

-- name: applied
select name, checksum from {schema}.migration order by name;

-- name: limit_lock_wait
-- A table that is in use must not make everybody queue behind this migration.
select set_config('lock_timeout', %(milliseconds)s, true);

-- name: record
insert into {schema}.migration (name, checksum) values (%(name)s, %(checksum)s);
