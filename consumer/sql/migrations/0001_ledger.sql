-- The ledger: what was applied to which product. A read model; the guard is the revision in Sanity.

-- The newest known state of each product in each dataset.
create table sync.product (
    project_id text not null,
    dataset text not null,
    product_id text not null,
    document_id text not null,
    revision bigint not null,       -- the highest one applied; 0 before the first
    parked_revision bigint,         -- the newest one that was refused, until one above it is applied
    event_id uuid not null,
    outcome text not null,          -- created | patched | ... | stale | duplicate | parked
    error text,                     -- why it is parked
    transaction_id text,            -- Sanity's; the last one that changed a document
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp(),
    primary key (project_id, dataset, product_id),
    constraint revision_not_negative check (revision >= 0)
);

-- Every change that reached Sanity, or was refused, with the owned fields before and after.
create table sync.change (
    id bigint generated always as identity primary key,
    project_id text not null,
    dataset text not null,
    product_id text not null,
    document_id text not null,
    revision bigint not null,
    event_id uuid not null,
    event_type text not null,
    outcome text not null,
    error text,
    transaction_id text,
    run_id uuid,
    before jsonb,
    after jsonb,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default clock_timestamp()
);
create index change_of_product on sync.change (project_id, dataset, product_id, id desc);
create index change_by_age on sync.change (recorded_at);
create index change_of_run on sync.change (run_id) where run_id is not null;
