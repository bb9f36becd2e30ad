-- Products and what belongs to them. A product is written, locked and published as a whole:
-- whoever writes any of these rows holds the lock of its row in commerce.product.

create table commerce.product (
    id text constraint product_pkey primary key,
    title text not null constraint product_title_not_empty check (title <> ''),
    subtitle text,
    description text,
    handle text not null constraint product_handle_not_empty check (handle <> ''),
    status text not null
        constraint product_status_known
        check (status in ('draft', 'proposed', 'published', 'rejected')),
    thumbnail text,
    is_giftcard boolean not null,
    discountable boolean not null,
    external_id text,
    weight double precision,
    length double precision,
    height double precision,
    width double precision,
    hs_code text,
    origin_country text,
    mid_code text,
    material text,
    metadata jsonb,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz -- set: gone for the API, its handle is free again
);

create unique index product_handle_key on commerce.product (handle) where deleted_at is null;
create index product_living_idx on commerce.product (id) where deleted_at is null;

create table commerce.image (
    id text constraint image_pkey primary key,
    product_id text not null
        constraint image_product_fkey references commerce.product on delete cascade,
    url text not null,
    rank integer not null,
    created_at timestamptz not null
);

create index image_product_idx on commerce.image (product_id);

create table commerce.product_option (
    id text constraint product_option_pkey primary key,
    product_id text not null
        constraint product_option_product_fkey references commerce.product on delete cascade,
    title text not null,
    rank integer not null
);

create index product_option_product_idx on commerce.product_option (product_id);

create table commerce.option_value (
    id text constraint option_value_pkey primary key,
    option_id text not null
        constraint option_value_option_fkey references commerce.product_option on delete cascade,
    value text not null,
    rank integer not null
);

create index option_value_option_idx on commerce.option_value (option_id);

create table commerce.variant (
    id text constraint variant_pkey primary key,
    product_id text not null
        constraint variant_product_fkey references commerce.product on delete cascade,
    title text not null,
    sku text,
    barcode text,
    ean text,
    upc text,
    manage_inventory boolean not null,
    allow_backorder boolean not null,
    variant_rank integer not null,
    weight double precision,
    length double precision,
    height double precision,
    width double precision,
    hs_code text,
    origin_country text,
    mid_code text,
    material text,
    metadata jsonb,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    deleted_at timestamptz -- as the product's, so that its codes are free again
);

create index variant_product_idx on commerce.variant (product_id);
create unique index variant_sku_key on commerce.variant (sku) where deleted_at is null;
create unique index variant_barcode_key on commerce.variant (barcode)
    where barcode is not null and deleted_at is null;
create unique index variant_ean_key on commerce.variant (ean)
    where ean is not null and deleted_at is null;
create unique index variant_upc_key on commerce.variant (upc)
    where upc is not null and deleted_at is null;

create table commerce.variant_option (
    variant_id text not null
        constraint variant_option_variant_fkey references commerce.variant on delete cascade,
    option_value_id text not null
        constraint variant_option_value_fkey references commerce.option_value on delete cascade,
    constraint variant_option_pkey primary key (variant_id, option_value_id)
);

create index variant_option_value_idx on commerce.variant_option (option_value_id);

create table commerce.price (
    id text constraint price_pkey primary key,
    variant_id text not null
        constraint price_variant_fkey references commerce.variant on delete cascade,
    currency_code text not null
        constraint price_currency_code_lower_case check (currency_code ~ '^[a-z]{3}$'),
    amount numeric not null constraint price_amount_not_negative check (amount >= 0), -- major units
    min_quantity integer,
    max_quantity integer,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint price_key
        unique nulls not distinct (variant_id, currency_code, min_quantity, max_quantity)
);

-- A table of its own, so that stock can get locations and reservations without a new product.
create table commerce.inventory_level (
    variant_id text constraint inventory_level_pkey primary key
        constraint inventory_level_variant_fkey references commerce.variant on delete cascade,
    stocked_quantity integer not null
        constraint inventory_level_not_negative check (stocked_quantity >= 0)
);
