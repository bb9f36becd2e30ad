import re
import subprocess
from collections.abc import Callable

import pytest

from tests.integration.commerce.conftest import SECRET, Database, Shop

Run = Callable[..., subprocess.CompletedProcess[str]]
COUNT = "select count(*) as n from commerce.product"


def test_migrating_twice_is_harmless_and_a_dry_run_changes_nothing(
    empty_database: Database, run: Run
) -> None:
    planned = run(empty_database, "migrate", "--dry-run")
    assert empty_database.rows("select to_regnamespace('commerce') is null as missing") == [
        {"missing": True}
    ]

    first = run(empty_database, "migrate")
    second = run(empty_database, "migrate")

    assert "would apply 0001_products.sql" in planned.stdout
    assert "applied 0001_products.sql" in first.stdout
    assert second.stdout == "schema commerce is up to date\n"


def test_an_admin_is_made_once_and_gets_another_password_on_request(
    database: Database, run: Run
) -> None:
    login = {"COMMERCE_ADMIN_EMAIL": "a@example.com", "COMMERCE_ADMIN_PASSWORD": "first password"}

    made = run(database, "create-admin", **login)
    again = run(database, "create-admin", **login)
    reset = run(database, "create-admin", "--reset-password", **login)

    assert [made.returncode, again.returncode, reset.returncode] == [0, 0, 0]
    assert "may log in" in made.stdout
    assert "exists" in again.stdout
    assert "new password" in reset.stdout
    (identity,) = database.rows("select password_hash from commerce.auth_identity")
    assert identity["password_hash"].startswith("$argon2id$")
    assert "first password" not in made.stdout + again.stdout + reset.stdout


@pytest.mark.parametrize(
    ("email", "password", "message"),
    [("nobody", "long enough", "Invalid email"), ("a@example.com", "short", "8 to 1024")],
)
def test_a_bad_address_or_password_is_refused(
    database: Database, run: Run, email: str, password: str, message: str
) -> None:
    done = run(
        database, "create-admin", COMMERCE_ADMIN_EMAIL=email, COMMERCE_ADMIN_PASSWORD=password
    )

    assert done.returncode == 1
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_seeding_makes_products_with_their_events_on_the_bulk_lane(
    database: Database, run: Run
) -> None:
    done = run(database, "seed", "--products", "1000", "--rate", "0")

    assert "1000 products made, 0 were there" in done.stdout, done.stderr
    seconds = re.search(r"in ([\d.]+) s", done.stdout)
    assert seconds is not None
    assert float(seconds[1]) < 30
    assert database.rows(COUNT) == [{"n": 1000}]
    events = database.events()
    assert len(events) == 1000
    assert {(e["type"], e["revision"], e["source"], e["route"]) for e in events} == {
        ("product.created", 1, "seed", "product.bulk")
    }
    assert all(event["payload"]["variants"] for event in events)


def test_seeding_goes_on_where_it_stopped(database: Database, run: Run) -> None:
    run(database, "seed", "--products", "60", "--rate", "0")

    more = run(database, "seed", "--products", "100", "--rate", "0")
    other = run(database, "seed", "--products", "10", "--rate", "0", "--seed", "2")

    assert "40 products made, 60 were there" in more.stdout
    assert "10 products made, 0 were there" in other.stdout
    assert len(database.events()) == 110


def test_seeding_keeps_to_its_rate(database: Database, run: Run) -> None:
    done = run(database, "seed", "--products", "100", "--rate", "100")

    seconds = re.search(r"in ([\d.]+) s", done.stdout)
    assert seconds is not None
    assert 0.95 <= float(seconds[1]) < 5


def test_the_sample_is_loaded_once_with_addresses_that_work(shop: Shop, run: Run) -> None:
    first = run(shop.database, "sample", COMMERCE_PUBLIC_URL=shop.url)
    second = run(shop.database, "sample", COMMERCE_PUBLIC_URL=shop.url)

    assert "26 sample products made, 0 were there" in first.stdout, first.stderr
    assert "0 sample products made, 26 were there" in second.stdout
    products = shop.call("GET", "/admin/products?handle=premium-cotton-t-shirt")["products"]
    assert products[0]["variants"][0]["prices"][-1]["amount"] == 29.99
    assert shop.http.get(products[0]["thumbnail"]).status_code == 200


def test_a_deleted_product_is_restored_under_its_id(shop: Shop, run: Run) -> None:
    product = shop.create(title="Mug", options=[{"title": "Size", "values": ["One"]}])
    shop.call("DELETE", f"/admin/products/{product['id']}")

    done = run(shop.database, "restore", product["id"])
    again = run(shop.database, "restore", product["id"])

    assert "is back: Mug" in done.stdout
    assert (again.returncode, "was not found" in again.stderr) == (1, True)
    restored = shop.get(product["id"])
    assert restored == product | {"updated_at": restored["updated_at"]}
    types = [event["type"] for event in shop.database.events()]
    assert types == ["product.created", "product.deleted", "product.created"]
    assert shop.database.events()[-1]["revision"] == 3


def test_a_missing_schema_or_server_is_told_in_a_sentence(
    empty_database: Database, run: Run
) -> None:
    unmigrated = run(empty_database, "sample")
    unreachable = run(
        empty_database, "migrate", COMMERCE_MIGRATION_DSN="postgresql://127.0.0.1:1/x"
    )
    unset = run(empty_database, "serve", COMMERCE_JWT_SECRET="short")

    assert "commerce migrate" in unmigrated.stderr
    assert "can't be reached" in unreachable.stderr
    assert "32 bytes" in unset.stderr
    for done in (unmigrated, unreachable, unset):
        assert done.returncode == 1
        assert "Traceback" not in done.stderr
        assert SECRET not in done.stdout + done.stderr
