-- name: begin_round
-- One round at a time; held by the session, so that it also ends with a lost connection.
select pg_try_advisory_lock(hashtextextended('upkeep of schema outbox', 0));

-- name: end_round
select pg_advisory_unlock(hashtextextended('upkeep of schema outbox', 0));

-- name: limit_locks
-- Locks are held until the commit is on disk, unless nobody waits for the disk. Losing one of
-- these commits in a crash costs nothing: the step is done again.
select set_config('lock_timeout', %(lock_timeout)s, true),
    set_config('statement_timeout', %(statement_timeout)s, true),
    set_config('synchronous_commit', 'off', true);

-- name: partitions
select name, state, lower, upper, bytes from outbox.partitions();

-- name: missing_days
select outbox.missing_days(%(ahead)s);

-- name: default_is_settled
-- Whether the default holds events, and none of today: null when it is empty.
select case
    when exists(select from outbox.event_default) then not exists(
        select from outbox.event_default
        where occurred_at >= date_trunc('day', now(), 'UTC')
    )
end;

-- name: create_part
-- In a transaction of its own, so that only the attaching is done under a lock.
select outbox.create_part(%(name)s);

-- name: add_day
select outbox.add_day(%(day)s);

-- name: set_default_aside
select outbox.set_default_aside();

-- name: move_oldest_day
select name, events from outbox.move_oldest_day(%(aside)s);

-- name: adopt
select outbox.adopt(%(name)s);

-- name: unsealed
select part.name
from outbox.partitions() as part
where part.state = 'attached'
    and part.upper <= now()
    and not exists(select from outbox.sealed_partition as sealed where sealed.name = part.name);

-- name: seal
select events from outbox.seal(%(name)s);

-- name: reseal
delete from outbox.sealed_partition where name = %(name)s;

-- name: overdue
-- An interval of days, so that a partition ends a whole number of days ago whatever its bounds.
select part.name, sealed.lsn::text as lsn, sealed.events
from outbox.partitions() as part
left join outbox.sealed_partition as sealed using (name)
where part.state = 'attached'
    and part.upper <= date_trunc('day', now(), 'UTC') - make_interval(days => %(keep_days)s)
order by part.upper;

-- name: detach_day
select outbox.detach_day(%(name)s);

-- name: drop_part
select outbox.drop_part(%(name)s);
