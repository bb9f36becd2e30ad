-- name: publish
select outbox.publish(
    aggregatetype => %(aggregatetype)s::text,
    aggregateid => %(aggregateid)s::text,
    type => %(type)s::text,
    payload => %(payload)s::jsonb,
    source => %(source)s::text,
    route => %(route)s::text,
    run_id => %(run_id)s::uuid,
    traceparent => %(traceparent)s::text
);

-- name: publish_many
select aggregateid, revision
from outbox.publish_many(
    aggregatetype => %(aggregatetype)s::text,
    events => %(events)s::jsonb,
    source => %(source)s::text,
    route => %(route)s::text,
    run_id => %(run_id)s::uuid
);

-- name: lock_aggregates
select outbox.lock_aggregates(%(aggregatetype)s::text, %(aggregateids)s::text[]);
