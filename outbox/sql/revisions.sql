-- name: highest
-- From the events too: after a restored backup they may have come further than the counters.
select floor,
    greatest(
        (select coalesce(max(revision), 0) from outbox.revision),
        (select coalesce(max(revision), 0) from outbox.event)
    ) as highest
from outbox.revision_floor;

-- name: raise_floor
update outbox.revision_floor set floor = %(to)s where floor < %(to)s;
