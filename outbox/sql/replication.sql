-- name: wal_level
show wal_level;

-- name: publication
select pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot,
    coalesce(
        (
            select array_agg(schemaname || '.' || tablename order by schemaname, tablename)
            from pg_publication_tables
            where pg_publication_tables.pubname = pg_publication.pubname
        ),
        '{}'
    ) as tables,
    coalesce(
        (
            select array_agg(schemaname || '.' || tablename order by schemaname, tablename)
            from pg_publication_tables
            where pg_publication_tables.pubname = pg_publication.pubname
                and rowfilter is not null
        ),
        '{}'
    ) as filtered,
    -- A list that happens to name every column would leave out the next one.
    coalesce(
        (
            select array_agg(distinct prrelid::regclass::text)
            from pg_publication_rel
            where prpubid = pg_publication.oid and prattrs is not null
        ),
        '{}'
    ) as narrowed
from pg_publication
where pubname = %(publication)s;

-- name: create_publication
create publication {publication}
for table outbox.event, outbox.heartbeat
with (publish = 'insert, update', publish_via_partition_root = true);

-- name: slot
-- `to_jsonb`: invalidation_reason and failover came with PostgreSQL 17.
select plugin, database, database = current_database() as here, active, wal_status,
    safe_wal_size, confirmed_flush_lsn::text as confirmed_flush_lsn,
    pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::bigint as unread_bytes,
    to_jsonb(pg_replication_slots) ->> 'invalidation_reason' as invalidation_reason,
    coalesce((to_jsonb(pg_replication_slots) ->> 'failover')::boolean, false) as failover
from pg_replication_slots
where slot_name = %(slot)s;

-- name: limit_wait
-- A slot begins where no transaction is half done, so one that hangs would hold it up for ever.
select set_config('statement_timeout', %(milliseconds)s, true);

-- name: create_slot
-- Alone in its transaction: Postgres refuses it after a write.
select pg_create_logical_replication_slot(%(slot)s, 'pgoutput');

-- name: create_failover_slot
-- A standby that synchronizes slots can be promoted without losing events.
select pg_create_logical_replication_slot(%(slot)s, 'pgoutput', false, false, true);

-- name: drop_slot
select pg_drop_replication_slot(%(slot)s);

-- name: is_recorded
select exists(select from outbox.slot where name = %(slot)s);

-- name: record_slot
insert into outbox.slot as known (name) values (%(slot)s)
on conflict on constraint slot_pkey do update set created_at = now() where %(recreated)s;

-- name: has_passed
select confirmed_flush_lsn >= %(lsn)s::pg_lsn
from pg_replication_slots
where slot_name = %(slot)s and database = current_database();
