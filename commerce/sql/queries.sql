-- Statements by name; `%(…)s` are parameters. Rows come in as JSON arrays, one per table.

-- name: lock
-- The product's row lock comes first in every write; the state is read by a later statement,
-- because a statement that waited for the lock would still see its old snapshot.
select id from commerce.product
where id = any(%(ids)s) and deleted_at is null
order by id
for update;

-- name: lock_deleted
select id from commerce.product
where id = %(id)s and deleted_at is not null
for update;

-- name: products
-- Whole products by id; the order of the rows is the order of the ids.
select
    p.id, p.title, p.subtitle, p.description, p.handle, p.status, p.thumbnail, p.is_giftcard,
    p.discountable, p.external_id, p.weight, p.length, p.height, p.width, p.hs_code,
    p.origin_country, p.mid_code, p.material, p.metadata, p.created_at, p.updated_at, p.deleted_at,
    coalesce((
        select jsonb_agg(to_jsonb(i) - 'product_id' order by i.rank)
        from commerce.image i where i.product_id = p.id
    ), '[]') as images,
    coalesce((
        select jsonb_agg(
            jsonb_build_object('id', o.id, 'title', o.title, 'values', (
                select jsonb_agg(jsonb_build_object('id', v.id, 'value', v.value) order by v.rank)
                from commerce.option_value v where v.option_id = o.id
            )) order by o.rank
        )
        from commerce.product_option o where o.product_id = p.id
    ), '[]') as options,
    coalesce((
        select jsonb_agg(
            to_jsonb(v) - 'product_id' - 'deleted_at' || jsonb_build_object(
                'inventory_quantity', coalesce(
                    (select l.stocked_quantity from commerce.inventory_level l
                     where l.variant_id = v.id), 0
                ),
                'option_value_ids', coalesce((
                    select jsonb_agg(vo.option_value_id order by o.rank)
                    from commerce.variant_option vo
                    join commerce.option_value ov on ov.id = vo.option_value_id
                    join commerce.product_option o on o.id = ov.option_id
                    where vo.variant_id = v.id
                ), '[]'),
                'prices', coalesce((
                    select jsonb_agg(
                        to_jsonb(c) - 'variant_id' || jsonb_build_object('amount', c.amount::text)
                        order by c.currency_code, c.min_quantity nulls first,
                            c.max_quantity nulls first
                    )
                    from commerce.price c where c.variant_id = v.id
                ), '[]')
            ) order by v.variant_rank, v.id
        )
        from commerce.variant v where v.product_id = p.id
    ), '[]') as variants
from commerce.product p
join unnest(%(ids)s::text[]) with ordinality as wanted (id, place) on wanted.id = p.id
order by wanted.place;

-- name: search
-- Ids of a page of living products, and how many match in all. Not materialized, so that a page
-- is read from an index where there is one. Postgres plans with the parameters' values: what a
-- null switches off costs nothing, and of the sort keys only the chosen one remains.
with matching as not materialized (
    select p.*
    from commerce.product p
    where p.deleted_at is null
        and (%(ids)s::text[] is null or p.id = any(%(ids)s))
        and (%(handles)s::text[] is null or p.handle = any(%(handles)s))
        and (%(titles)s::text[] is null or p.title = any(%(titles)s))
        and (%(statuses)s::text[] is null or p.status = any(%(statuses)s))
        and (%(external_ids)s::text[] is null or p.external_id = any(%(external_ids)s))
        and (%(is_giftcard)s::boolean is null or p.is_giftcard = %(is_giftcard)s)
        and (%(created_from)s::timestamptz is null or p.created_at >= %(created_from)s)
        and (%(created_after)s::timestamptz is null or p.created_at > %(created_after)s)
        and (%(created_to)s::timestamptz is null or p.created_at <= %(created_to)s)
        and (%(created_before)s::timestamptz is null or p.created_at < %(created_before)s)
        and (%(updated_from)s::timestamptz is null or p.updated_at >= %(updated_from)s)
        and (%(updated_after)s::timestamptz is null or p.updated_at > %(updated_after)s)
        and (%(updated_to)s::timestamptz is null or p.updated_at <= %(updated_to)s)
        and (%(updated_before)s::timestamptz is null or p.updated_at < %(updated_before)s)
        and (
            %(q)s::text is null
            or strpos(lower(p.title), %(q)s) > 0
            or strpos(lower(p.subtitle), %(q)s) > 0
            or strpos(lower(p.description), %(q)s) > 0
            or exists (
                select from commerce.variant v
                where v.product_id = p.id
                    and (
                        strpos(lower(v.title), %(q)s) > 0
                        or strpos(lower(v.sku), %(q)s) > 0
                        or strpos(lower(v.barcode), %(q)s) > 0
                        or strpos(lower(v.ean), %(q)s) > 0
                        or strpos(lower(v.upc), %(q)s) > 0
                    )
            )
        )
)
select
    (select count(*) from matching) as count,
    array(
        select p.id from matching p
        order by
            case when %(order)s::text = 'title' then p.title end,
            case when %(order)s::text = '-title' then p.title end desc,
            case when %(order)s::text = 'handle' then p.handle end,
            case when %(order)s::text = '-handle' then p.handle end desc,
            case when %(order)s::text = 'status' then p.status end,
            case when %(order)s::text = '-status' then p.status end desc,
            case when %(order)s::text = 'created_at' then p.created_at end,
            case when %(order)s::text = '-created_at' then p.created_at end desc,
            case when %(order)s::text = 'updated_at' then p.updated_at end,
            case when %(order)s::text = '-updated_at' then p.updated_at end desc,
            case when %(order)s::text = '-id' then p.id end desc,
            p.id
        limit %(limit)s::bigint offset %(offset)s::bigint
    ) as ids;

-- name: existing_handles
select handle from commerce.product where deleted_at is null and handle = any(%(handles)s);

-- name: insert_products
insert into commerce.product (
    id, title, subtitle, description, handle, status, thumbnail, is_giftcard, discountable,
    external_id, weight, length, height, width, hs_code, origin_country, mid_code, material,
    metadata, created_at, updated_at
)
select
    id, title, subtitle, description, handle, status, thumbnail, is_giftcard, discountable,
    external_id, weight, length, height, width, hs_code, origin_country, mid_code, material,
    metadata, created_at, updated_at
from jsonb_populate_recordset(null::commerce.product, %(products)s);

-- name: insert_options
-- Options and their values in one round trip: the foreign key is checked when both are there.
with options as (
    insert into commerce.product_option
    select * from jsonb_populate_recordset(null::commerce.product_option, %(options)s)
)
insert into commerce.option_value
select * from jsonb_populate_recordset(null::commerce.option_value, %(option_values)s);

-- name: update_product
update commerce.product set
    title = %(title)s,
    subtitle = %(subtitle)s,
    description = %(description)s,
    handle = %(handle)s,
    status = %(status)s,
    thumbnail = %(thumbnail)s,
    is_giftcard = %(is_giftcard)s,
    discountable = %(discountable)s,
    external_id = %(external_id)s,
    weight = %(weight)s,
    length = %(length)s,
    height = %(height)s,
    width = %(width)s,
    hs_code = %(hs_code)s,
    origin_country = %(origin_country)s,
    mid_code = %(mid_code)s,
    material = %(material)s,
    metadata = %(metadata)s,
    updated_at = %(updated_at)s
where id = %(id)s;

-- name: mark_deleted
-- Variants too: their codes are free for others from now on.
with variants as (
    update commerce.variant set deleted_at = %(deleted_at)s where product_id = any(%(ids)s)
)
update commerce.product set deleted_at = %(deleted_at)s, updated_at = %(deleted_at)s
where id = any(%(ids)s);

-- name: mark_restored
with variants as (
    update commerce.variant set deleted_at = null where product_id = %(id)s
)
update commerce.product set deleted_at = null, updated_at = %(updated_at)s where id = %(id)s;

-- name: delete_images
delete from commerce.image where product_id = %(product_id)s and id <> all(%(ids)s);

-- name: write_images
insert into commerce.image
select * from jsonb_populate_recordset(null::commerce.image, %(images)s)
on conflict (id) do update set url = excluded.url, rank = excluded.rank;

-- name: delete_variants
delete from commerce.variant where product_id = %(product_id)s and id <> all(%(ids)s);

-- name: release_codes
-- Before codes move between variants: a unique index is checked row by row.
update commerce.variant set sku = null, barcode = null, ean = null, upc = null
where id = any(%(ids)s);

-- name: write_variants
insert into commerce.variant (
    id, product_id, title, sku, barcode, ean, upc, manage_inventory, allow_backorder,
    variant_rank, weight, length, height, width, hs_code, origin_country, mid_code, material,
    metadata, created_at, updated_at
)
select
    id, product_id, title, sku, barcode, ean, upc, manage_inventory, allow_backorder,
    variant_rank, weight, length, height, width, hs_code, origin_country, mid_code, material,
    metadata, created_at, updated_at
from jsonb_populate_recordset(null::commerce.variant, %(variants)s)
on conflict (id) do update set
    title = excluded.title,
    sku = excluded.sku,
    barcode = excluded.barcode,
    ean = excluded.ean,
    upc = excluded.upc,
    manage_inventory = excluded.manage_inventory,
    allow_backorder = excluded.allow_backorder,
    variant_rank = excluded.variant_rank,
    weight = excluded.weight,
    length = excluded.length,
    height = excluded.height,
    width = excluded.width,
    hs_code = excluded.hs_code,
    origin_country = excluded.origin_country,
    mid_code = excluded.mid_code,
    material = excluded.material,
    metadata = excluded.metadata,
    updated_at = excluded.updated_at;

-- name: clear_variant_parts
with prices as (
    delete from commerce.price
    where variant_id = any(%(variant_ids)s) and id <> all(%(price_ids)s)
)
delete from commerce.variant_option where variant_id = any(%(variant_ids)s);

-- name: write_variant_parts
-- Prices, chosen option values and stock of the written variants.
with prices as (
    insert into commerce.price
    select * from jsonb_populate_recordset(null::commerce.price, %(prices)s)
    on conflict (id) do update set amount = excluded.amount, updated_at = excluded.updated_at
),
chosen as (
    insert into commerce.variant_option
    select * from jsonb_populate_recordset(null::commerce.variant_option, %(chosen)s)
)
insert into commerce.inventory_level
select * from jsonb_populate_recordset(null::commerce.inventory_level, %(stock)s)
on conflict (variant_id) do update set stocked_quantity = excluded.stocked_quantity;

-- name: insert_user
with new_user as (
    insert into commerce.admin_user (id, email, created_at, updated_at)
    values (%(user_id)s, %(email)s, %(now)s, %(now)s)
)
insert into commerce.auth_identity (id, user_id, provider, password_hash, created_at, updated_at)
values (%(identity_id)s, %(user_id)s, %(provider)s, %(password_hash)s, %(now)s, %(now)s);

-- name: update_password
update commerce.auth_identity set password_hash = %(password_hash)s, updated_at = %(now)s
where id = %(identity_id)s;

-- name: identity
select i.id as identity_id, i.user_id, i.password_hash
from commerce.auth_identity i
join commerce.admin_user u on u.id = i.user_id
where u.email = %(email)s and i.provider = %(provider)s;

-- name: user
select id, email, first_name, last_name, metadata, created_at, updated_at
from commerce.admin_user
where id = %(id)s;

-- name: readiness
select
    (select max(name) from commerce.migration) as newest,
    coalesce(has_schema_privilege(to_regnamespace('outbox'), 'usage'), false) as may_publish;
