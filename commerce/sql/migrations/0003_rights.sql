-- The service reads and writes rows; it owns nothing and changes no table. Where the role is not
-- there (a trial database with one superuser), there is nobody to give rights to.

do $$
begin
    if exists (select from pg_roles where rolname = 'commerce_app') then
        grant usage on schema commerce to commerce_app;
        grant select, insert, update, delete on all tables in schema commerce to commerce_app;
        revoke insert, update, delete on commerce.migration from commerce_app;
        alter default privileges in schema commerce
            grant select, insert, update, delete on tables to commerce_app;
    end if;
end
$$;
