-- Each statement follows its `-- name:` line.

-- name: applied_revisions
select product_id, revision
from sync.product
where project_id = %(project_id)s and dataset = %(dataset)s and product_id = any(%(product_ids)s)

-- name: record
-- One statement for a batch. A product's row never goes back to an older revision.
with entry as (
    select
        e.*,
        case e.outcome when 'parked' then 0 else e.revision end as applied_revision,
        case e.outcome when 'parked' then e.revision end as parked_revision
    from jsonb_to_recordset(%(entries)s) as e(
        product_id text, document_id text, revision bigint, event_id uuid, event_type text,
        outcome text, error text, transaction_id text, run_id uuid,
        before jsonb, after jsonb, occurred_at timestamptz
    )
), product as (
    insert into sync.product as p (
        project_id, dataset, product_id, document_id, revision, parked_revision, event_id,
        outcome, error, transaction_id, occurred_at
    )
    select
        %(project_id)s, %(dataset)s, product_id, document_id, applied_revision, parked_revision,
        event_id, outcome, error, transaction_id, occurred_at
    from entry
    order by product_id
    on conflict (project_id, dataset, product_id) do update set
        document_id = excluded.document_id,
        revision = greatest(p.revision, excluded.revision),
        parked_revision = excluded.parked_revision,
        event_id = excluded.event_id,
        outcome = excluded.outcome,
        error = excluded.error,
        transaction_id = coalesce(excluded.transaction_id, p.transaction_id),
        occurred_at = excluded.occurred_at,
        recorded_at = clock_timestamp()
    where greatest(excluded.revision, excluded.parked_revision)
        >= greatest(p.revision, p.parked_revision)
)
insert into sync.change (
    project_id, dataset, product_id, document_id, revision, event_id, event_type, outcome, error,
    transaction_id, run_id, before, after, occurred_at
)
select
    %(project_id)s, %(dataset)s, product_id, document_id, revision, event_id, event_type, outcome,
    error, transaction_id, run_id, before, after, occurred_at
from entry
where transaction_id is not null or error is not null
returning id

-- name: prune
delete from sync.change
where project_id = %(project_id)s and dataset = %(dataset)s
  and recorded_at < now() - make_interval(days => %(days)s)
returning id
