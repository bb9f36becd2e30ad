-- The outbox: events, revision counters, routes, heartbeat, and the functions that publish.
-- Works on PostgreSQL 16 and later. Run it in the schema's own transaction (outbox.migrate).

revoke all on schema outbox from public;

-- Routes --------------------------------------------------------------------------------------

create table outbox.route (
    name text constraint route_pkey primary key,
    registered_at timestamptz not null default now(),
    constraint route_name_wellformed check (name ~ '^[a-z][a-z0-9_]*(\.[a-z0-9_]+)*$'),
    constraint route_name_length check (length(name) <= 80)
);
comment on table outbox.route is
    'An event goes to the topic outbox.event.<route>. An event without a topic stops the connector for everybody, so only routes listed here are accepted.';

insert into outbox.route (name) values ('product'), ('product.bulk'), ('canary');

-- Revisions -----------------------------------------------------------------------------------

-- The row lock of a counter is held to the end of the transaction that raised it. So for one
-- aggregate the order of revisions is the order of commits, and that of the WAL.
create table outbox.revision (
    aggregatetype text collate "C",
    aggregateid text collate "C",
    revision bigint not null,
    constraint revision_pkey primary key (aggregatetype, aggregateid),
    constraint revision_not_negative check (revision >= 0),  -- 0: locked, never published
    constraint revision_aggregatetype_wellformed check (aggregatetype ~ '^[a-z][a-z0-9_]{0,39}$'),
    constraint revision_aggregateid_wellformed check (aggregateid ~ '^[A-Za-z0-9_][A-Za-z0-9_-]*$'),
    constraint revision_aggregateid_length check (length(aggregateid) <= 80)
) with (fillfactor = 70);  -- room for HOT updates: a counter is nothing but updated
comment on table outbox.revision is
    'One counter per aggregate. It outlives the aggregate: one deleted and created again under the same id goes on counting.';

create table outbox.revision_floor (
    only_row boolean constraint revision_floor_pkey primary key default true,
    floor bigint not null default 0,
    constraint revision_floor_one_row check (only_row),
    constraint revision_floor_not_negative check (floor >= 0)
);
comment on table outbox.revision_floor is
    'Every published revision lies above the floor. It is raised after a restored backup has set the counters back.';

insert into outbox.revision_floor default values;

-- Events --------------------------------------------------------------------------------------

-- No primary key: nothing looks an event up by id, and a table without replica identity refuses
-- UPDATE and DELETE by itself while it is published, also where triggers are switched off.
create table outbox.event (
    id uuid not null default gen_random_uuid(),
    aggregatetype text collate "C" not null,
    aggregateid text collate "C" not null,
    type text not null,
    payload jsonb not null,
    revision bigint not null,
    route text not null,
    run_id uuid,
    schema_version integer not null default 1,
    source text not null,
    occurred_at timestamptz not null default clock_timestamp(),
    traceparent text,
    constraint event_aggregatetype_wellformed check (aggregatetype ~ '^[a-z][a-z0-9_]{0,39}$'),
    constraint event_aggregateid_wellformed check (aggregateid ~ '^[A-Za-z0-9_][A-Za-z0-9_-]*$'),
    constraint event_aggregateid_length check (length(aggregateid) <= 80),
    constraint event_type_known check (
        type in (
            aggregatetype || '.created',
            aggregatetype || '.updated',
            aggregatetype || '.deleted',
            aggregatetype || '.sync_requested'
        )
    ),
    constraint event_payload_is_object check (jsonb_typeof(payload) = 'object'),
    constraint event_payload_size check (octet_length(payload::text) <= 900000),
    constraint event_revision_positive check (revision >= 1),
    constraint event_schema_version_positive check (schema_version >= 1),
    constraint event_source_known check (
        source in ('admin', 'api', 'capture', 'manual', 'bulk', 'seed', 'canary')
    ),
    constraint event_traceparent_wellformed check (
        traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
    )
) partition by range (occurred_at);
comment on table outbox.event is
    'One row per committed change, never changed again. Days are partitions; retention drops whole days.';

create index event_aggregate on outbox.event (aggregatetype, aggregateid, revision);

create table outbox.event_default partition of outbox.event default;
comment on table outbox.event_default is
    'Holds the events of a day whose partition was not made in time, so that no write fails for it.';

create function outbox.refuse_change() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception '% on %.% is refused: its rows are never changed or removed',
        tg_op, tg_table_schema, tg_table_name
        using errcode = 'restrict_violation',
              hint = 'Publish a new event; old days are dropped by `outbox maintain`.';
end
$$;

create trigger event_refuse_change before update or delete on outbox.event
    for each row execute function outbox.refuse_change();
create trigger event_refuse_truncate before truncate on outbox.event
    for each statement execute function outbox.refuse_change();
create trigger event_refuse_truncate before truncate on outbox.event_default
    for each statement execute function outbox.refuse_change();
create trigger route_refuse_change before update or delete on outbox.route
    for each row execute function outbox.refuse_change();
create trigger route_refuse_truncate before truncate on outbox.route
    for each statement execute function outbox.refuse_change();

-- A trigger and no foreign key: the key would lock the same row of outbox.route in every product
-- write, and dropping a day would take ACCESS EXCLUSIVE on outbox.route (ADR 0010).
create function outbox.require_route() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from outbox.route where name = new.route) then
        raise exception 'route "%" is not registered', new.route
            using errcode = 'foreign_key_violation',
                  constraint = 'event_route_registered',
                  hint = 'Routes are rows of outbox.route; each has its topic in deploy/kafka/topics.yaml.';
    end if;
    return new;
end
$$;

create trigger event_route_registered before insert on outbox.event
    for each row execute function outbox.require_route();

-- Heartbeat -----------------------------------------------------------------------------------

create table outbox.heartbeat (
    only_row boolean constraint heartbeat_pkey primary key default true,
    beaten_at timestamptz not null default now(),
    constraint heartbeat_one_row check (only_row)
);
comment on table outbox.heartbeat is
    'Debezium updates the row now and then, so that its slot moves on while no event is written.';

insert into outbox.heartbeat default values;

-- Publishing ----------------------------------------------------------------------------------

create function outbox.publish(
    aggregatetype text,
    aggregateid text,
    type text,
    payload jsonb,
    source text default 'api',
    route text default null,
    run_id uuid default null,
    traceparent text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    raised bigint;
begin
    insert into outbox.revision as counter (aggregatetype, aggregateid, revision)
    select publish.aggregatetype, publish.aggregateid, floor + 1
    from outbox.revision_floor
    on conflict on constraint revision_pkey do update
        set revision = greatest(counter.revision + 1, excluded.revision)
    returning counter.revision into raised;

    -- In a statement of its own: the clock is read when the counter's lock is held.
    insert into outbox.event (
        aggregatetype, aggregateid, type, payload, revision, route, run_id, source, occurred_at,
        traceparent
    ) values (
        publish.aggregatetype, publish.aggregateid, publish.type, publish.payload, raised,
        coalesce(publish.route, publish.aggregatetype), publish.run_id, publish.source,
        clock_timestamp(),
        -- W3C Trace Context: one that can't be read is ignored, it fails no product write.
        case
            when publish.traceparent ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
            then publish.traceparent
        end
    );
    return raised;
end
$$;
comment on function outbox.publish is
    'Raises the counter, appends the event to the caller''s transaction and returns the new revision. The payload is the whole state, written by this transaction or read under the aggregate''s own lock.';

create function outbox.publish_many(
    aggregatetype text,
    events jsonb,
    source text default 'bulk',
    route text default null,
    run_id uuid default null
) returns table (aggregateid text, revision bigint)
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    return query
    with given as materialized (
        select entry.aggregateid, entry.type, entry.payload, entry.traceparent
        from jsonb_to_recordset(publish_many.events)
            as entry (aggregateid text, type text, payload jsonb, traceparent text)
    ), raised as (
        -- In id order, so that two callers can't wait for each other.
        insert into outbox.revision as counter (aggregatetype, aggregateid, revision)
        select publish_many.aggregatetype, given.aggregateid, floor + 1
        from given cross join outbox.revision_floor
        order by given.aggregateid collate "C"
        on conflict on constraint revision_pkey do update
            set revision = greatest(counter.revision + 1, excluded.revision)
        returning counter.aggregateid, counter.revision
    ), published as (
        insert into outbox.event (
            aggregatetype, aggregateid, type, payload, revision, route, run_id, source,
            occurred_at, traceparent
        )
        select publish_many.aggregatetype, aggregateid, given.type, given.payload,
            raised.revision, coalesce(publish_many.route, publish_many.aggregatetype),
            publish_many.run_id, publish_many.source, clock_timestamp(),
            case
                when given.traceparent
                    ~ '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$'
                then given.traceparent
            end
        from raised join given using (aggregateid)
        order by aggregateid
        returning event.aggregateid, event.revision
    )
    select published.aggregateid::text, published.revision from published;
end
$$;
comment on function outbox.publish_many is
    'Publishes events [{"aggregateid", "type", "payload", "traceparent"?}] of different aggregates in one round trip, locked in id order. Call lock_aggregates first, then read the state.';

create function outbox.lock_aggregates(aggregatetype text, aggregateids text[]) returns void
language sql security definer set search_path = pg_catalog, pg_temp as $$
    -- A row that is considered for DO UPDATE stays locked although nothing is written.
    insert into outbox.revision as counter (aggregatetype, aggregateid, revision)
    select lock_aggregates.aggregatetype, id, 0
    from (select distinct id collate "C" as id from unnest(lock_aggregates.aggregateids) as id)
        as wanted
    order by id
    on conflict on constraint revision_pkey do update set revision = counter.revision where false
$$;
comment on function outbox.lock_aggregates is
    'Takes the locks of these counters in id order. What a LATER statement reads may be published: no other writer can publish a newer state meanwhile.';

revoke all on all functions in schema outbox from public;
