-- name: routes
select name from outbox.route order by name;

-- name: register
insert into outbox.route (name) values (%(name)s) on conflict on constraint route_pkey do nothing;
