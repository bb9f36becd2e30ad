-- name: role_exists
select exists(select from pg_roles where rolname = %(role)s);

-- name: grant_publish
-- The functions run as their owner, so no right on any table is needed, and none is given.
grant usage on schema outbox to {role};
grant execute on function
    outbox.publish(text, text, text, jsonb, text, text, uuid, text),
    outbox.publish_many(text, jsonb, text, text, uuid),
    outbox.lock_aggregates(text, text[])
to {role};

-- name: grant_replication
grant usage on schema outbox to {role};
grant select on outbox.event to {role};
grant select, update on outbox.heartbeat to {role};
