-- Days of outbox.event and the replication slot: what upkeep has to know and to do.
--
-- Whoever calls what locks outbox.event sets lock_timeout to a few milliseconds: writers stand
-- behind this waiter, so it gives up at once and tries again later (outbox.retention, ADR 0010).
-- Locks are taken in the order old partition, default, outbox.event; the last one is the only one
-- that a product write meets, and is followed by nothing but changes of the catalogue.

create table outbox.slot (
    name text constraint slot_pkey primary key,
    created_at timestamptz not null default now()
);
comment on table outbox.slot is
    'Replication slots that were made here. One that is listed and gone has lost events, and is not made again without being asked for.';

create table outbox.sealed_partition (
    name text constraint sealed_partition_pkey primary key,
    events bigint not null,
    lsn pg_lsn not null,
    sealed_at timestamptz not null default now()
);
comment on table outbox.sealed_partition is
    'Past days: every event of the day was committed before this place in the WAL. A slot that has confirmed the place has read them all.';

-- What stands below outbox.event, and what was taken out of it and waits for the next step:
-- state is 'attached', 'default', 'aside' (a default set aside, to be adopted), 'adopting' (moved
-- rows of one day, not attached yet) or 'detached' (to be dropped).
create function outbox.partitions()
returns table (name text, state text, lower timestamptz, upper timestamptz, bytes bigint)
language sql stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD' as $$
    select
        part.relname::text,
        case
            when part.relname like 'aside\_%' then 'aside'
            when part.relname like 'adopting\_%' then 'adopting'
            when part.relname like 'detached\_%' then 'detached'
            when bound.text = 'DEFAULT' then 'default'
            else 'attached'
        end,
        (regexp_match(bound.text, $re$FROM \('([^']+)'\)$re$))[1]::timestamptz,
        (regexp_match(bound.text, $re$TO \('([^']+)'\)$re$))[1]::timestamptz,
        pg_total_relation_size(part.oid)
    from pg_class as part
    cross join lateral (select pg_get_expr(part.relpartbound, part.oid) as text) as bound
    where part.relnamespace = 'outbox'::regnamespace
        and part.relkind = 'r'
        and (part.relispartition or part.relname ~ '^(aside|adopting|detached)_')
    order by 3 nulls last, 1
$$;

create function outbox.require_lock_timeout() returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_setting('lock_timeout') = '0' then
        raise exception 'set lock_timeout first: product writes would queue behind this call'
            using errcode = 'object_not_in_prerequisite_state';
    end if;
end
$$;

-- A table that can become a partition, unless there is one of this name. On its own it is neither
-- published nor seen by writers.
create function outbox.create_part(name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if to_regclass(format('outbox.%I', name)) is not null then
        return;
    end if;
    execute format('create table outbox.%I (like outbox.event including all)', name);
    -- Statement triggers are not inherited; those for each row come with ATTACH.
    execute format(
        'create trigger event_refuse_truncate before truncate on outbox.%I '
        'for each statement execute function outbox.refuse_change()', name);
end
$$;

create function outbox.attach_part(
    name text, partition_name text, lower timestamptz, upper timestamptz
) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    perform outbox.require_lock_timeout();
    lock table outbox.event_default in access exclusive mode;
    lock table only outbox.event in share update exclusive mode;
    if name <> partition_name then
        execute format('alter table outbox.%I rename to %I', name, partition_name);
    end if;
    execute format(
        'alter table outbox.event attach partition outbox.%I for values from (%L) to (%L)',
        partition_name, lower, upper);
end
$$;

-- The days (UTC) from today to `ahead` days later that no partition touches.
create function outbox.missing_days(ahead integer) returns setof date
language sql stable set search_path = pg_catalog, pg_temp as $$
    select day::date
    from generate_series(
        date_trunc('day', now() at time zone 'UTC'),
        date_trunc('day', now() at time zone 'UTC') + make_interval(days => ahead),
        interval '1 day'
    ) as day
    where not exists (
        select from outbox.partitions() as part
        where part.state = 'attached'
            and part.lower < (day + interval '1 day') at time zone 'UTC'
            and part.upper > day at time zone 'UTC'
    )
    order by day
$$;

create function outbox.add_day(day date) returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    name constant text := 'event_' || to_char(day, 'YYYYMMDD');
begin
    perform outbox.create_part(name);
    perform outbox.attach_part(
        name, name, day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
    return name;
end
$$;

-- Replaces a default partition that holds events by an empty one: nothing but the catalogue
-- changes, so the lock is short. Its events are missing from outbox.event until they are adopted.
create function outbox.set_default_aside() returns text
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    aside constant text :=
        'aside_' || to_char(clock_timestamp() at time zone 'UTC', 'YYYYMMDD_HH24MISS_US');
begin
    perform outbox.require_lock_timeout();
    perform outbox.create_part('event_default_next');
    lock table outbox.event_default in access exclusive mode;
    lock table only outbox.event in access exclusive mode;
    alter table outbox.event detach partition outbox.event_default;
    execute format('alter table outbox.event_default rename to %I', aside);
    alter table outbox.event_default_next rename to event_default;
    alter table outbox.event attach partition outbox.event_default default;
    return aside;
end
$$;

-- Moves the oldest day of a table set aside into a table of its own; no row when none is left.
-- Moved and not attached as it is, since a partition may lie between two of its days. Neither
-- table is published, so nothing is sent again.
create function outbox.move_oldest_day(aside text) returns table (name text, events bigint)
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    first timestamptz;
    last timestamptz;
    next_day timestamptz;
begin
    execute format('select min(occurred_at) from outbox.%I', aside) into first;
    if first is null then
        return;
    end if;
    next_day := date_trunc('day', first, 'UTC') + interval '1 day';
    name := 'adopting_' || to_char(first at time zone 'UTC', 'YYYYMMDD_HH24MISS_US');
    perform outbox.create_part(name);
    execute format(
        'with moved as (delete from outbox.%I where occurred_at < %L returning *) '
        'insert into outbox.%I select * from moved', aside, next_day, name);
    get diagnostics events = row_count;
    execute format('select max(occurred_at) from outbox.%I', name) into last;
    -- Spares ATTACH its own reading of the table while it holds the lock.
    execute format(
        'alter table outbox.%I '
        'add constraint adopted_range check (occurred_at >= %L and occurred_at < %L)',
        name, first, last + interval '1 microsecond');
    return next;
end
$$;

-- Attaches a moved day with just the bounds of its events: the rest of its day may go on elsewhere.
create function outbox.adopt(name text) returns text
language plpgsql
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD' as $$
declare
    partition_name constant text := 'event_' || substr(name, length('adopting_') + 1);
    bounds text[];
begin
    select array_agg(bound[1]) into strict bounds
    from pg_constraint,
        regexp_matches(pg_get_constraintdef(oid), $re$'([^']+)'::timestamp$re$, 'g') as bound
    where conrelid = format('outbox.%I', name)::regclass and conname = 'adopted_range';
    perform outbox.attach_part(name, partition_name, bounds[1]::timestamptz, bounds[2]::timestamptz);
    return partition_name;
end
$$;

-- Notes a place in the WAL that lies behind every event of a past day.
create function outbox.seal(partition_name text) returns outbox.sealed_partition
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    sealed outbox.sealed_partition;
begin
    perform outbox.require_lock_timeout();
    execute format('lock table outbox.%I in share mode', partition_name);
    execute format('select count(*) from outbox.%I', partition_name) into sealed.events;
    insert into outbox.sealed_partition as known (name, events, lsn)
    values (partition_name, sealed.events, pg_current_wal_insert_lsn())
    on conflict on constraint sealed_partition_pkey do update
        set events = excluded.events, lsn = excluded.lsn, sealed_at = excluded.sealed_at
        where known.events <> excluded.events
    returning * into sealed;
    if not found then
        select * into strict sealed from outbox.sealed_partition where name = partition_name;
    end if;
    return sealed;
end
$$;

-- Takes a sealed day out of outbox.event. False when events have come since it was sealed.
-- The table is dropped later, in a transaction that holds no lock of outbox.event.
create function outbox.detach_day(partition_name text) returns boolean
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    counted bigint;
begin
    perform outbox.require_lock_timeout();
    -- Counted before the parent is locked: counting takes long, the lock must not.
    execute format('lock table outbox.%I in share mode', partition_name);
    execute format('select count(*) from outbox.%I', partition_name) into counted;
    if not exists (
        select from outbox.sealed_partition as sealed
        where sealed.name = partition_name and sealed.events = counted
    ) then
        return false;
    end if;
    execute format('lock table outbox.%I in access exclusive mode', partition_name);
    lock table outbox.event_default in access exclusive mode;
    lock table only outbox.event in access exclusive mode;
    execute format('alter table outbox.event detach partition outbox.%I', partition_name);
    execute format('alter table outbox.%I rename to %I', partition_name, 'detached_' || partition_name);
    delete from outbox.sealed_partition where name = partition_name;
    return true;
end
$$;

create function outbox.drop_part(name text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
    holds_events boolean;
begin
    if name !~ '^(aside|adopting|detached)_' then
        raise exception 'outbox.% is in use and is not dropped', name
            using errcode = 'object_in_use';
    end if;
    if to_regclass(format('outbox.%I', name)) is null then
        return;
    end if;
    if name !~ '^detached_' then
        execute format('select exists(select from outbox.%I)', name) into holds_events;
        if holds_events then
            raise exception 'outbox.% holds events that are nowhere else', name
                using errcode = 'object_in_use';
        end if;
    end if;
    execute format('drop table outbox.%I', name);
end
$$;

set local lock_timeout = '5s';  -- nobody writes yet
select outbox.add_day(day) from outbox.missing_days(14) as day;

revoke all on all functions in schema outbox from public;
