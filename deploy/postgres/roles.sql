-- Roles, databases and rights of the whole product. A psql script, run as superuser; running it
-- again is harmless and sets the passwords anew. Passwords come from the environment
-- (SHOP_OWNER_PASSWORD and so on), or with `psql -v shop_owner_password=...`.
--
--   shop_owner          owns what lies in database shop and runs its migrations; REPLICATION so
--                       that a migration may create the slot
--   commerce_app        the product system: rows of schema commerce, and outbox.publish
--   outbox_replication  Debezium: reads outbox.event, updates the row outbox.heartbeat
--   sync_ledger         the consumer: owns schema sync in database ledger
--
-- The rights inside schema outbox are granted by `outbox migrate`, which knows its functions.

\set ON_ERROR_STOP on
\getenv shop_owner_password SHOP_OWNER_PASSWORD
\getenv commerce_app_password COMMERCE_APP_PASSWORD
\getenv outbox_replication_password OUTBOX_REPLICATION_PASSWORD
\getenv sync_ledger_password SYNC_LEDGER_PASSWORD

-- Passwords stay out of the server's log, whatever it is set to.
set log_statement = 'none';
set log_min_duration_statement = -1;
set log_min_error_statement = 'panic';

select format('create role %I', name)
from unnest(array['shop_owner', 'commerce_app', 'outbox_replication', 'sync_ledger']) as name
where not exists (select from pg_roles where rolname = name)
\gexec

alter role shop_owner with login replication nosuperuser nocreatedb nocreaterole
    password :'shop_owner_password';
alter role commerce_app with login noreplication nosuperuser nocreatedb nocreaterole
    password :'commerce_app_password';
alter role outbox_replication with login replication nosuperuser nocreatedb nocreaterole
    password :'outbox_replication_password';
alter role sync_ledger with login noreplication nosuperuser nocreatedb nocreaterole
    password :'sync_ledger_password';

select format('create database %I owner %I', name, owner)
from (values ('shop', 'shop_owner'), ('ledger', 'sync_ledger')) as wanted (name, owner)
where not exists (select from pg_database where datname = name)
\gexec

revoke all on database shop from public;
revoke all on database ledger from public;
grant connect on database shop to commerce_app, outbox_replication;

\connect shop
set client_min_messages = warning;
revoke all on schema public from public;
create schema if not exists commerce authorization shop_owner;
grant usage on schema commerce to commerce_app;
alter default privileges for role shop_owner in schema commerce
    grant select, insert, update, delete on tables to commerce_app;
alter default privileges for role shop_owner in schema commerce
    grant usage on sequences to commerce_app;

\connect ledger
set client_min_messages = warning;
revoke all on schema public from public;
create schema if not exists sync authorization sync_ledger;
