import shutil
from collections.abc import Iterator
from contextlib import closing

import pytest

from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.local.addresses import addresses
from deploy.local.install import ROOT
from deploy.local.ports import free_base
from deploy.local.stack import Stack
from tests.fix_shop import ProductBody
from tests.oracle import wait_until_in_step

EVENTS = 50


@pytest.fixture
def fresh_stack(local_stack: Stack) -> Iterator[Stack]:
    """A stack of its own, of which nothing runs yet; only where the local stack is the backend."""
    del local_stack
    with free_base(14000) as ports:
        directory = ROOT / ".local" / f"test-{ports.base}"
        fresh = Stack(directory, ports.base)
        try:
            yield fresh
        finally:
            fresh.down(wipe=True)
            shutil.rmtree(directory, ignore_errors=True)


def test_events_written_before_the_connector_first_started_all_arrive(
    fresh_stack: Stack, product_body: ProductBody
) -> None:
    fresh_stack.up(["commerce"])
    assert "connect" not in fresh_stack.running()
    values = addresses(fresh_stack.instance)
    admin = Admin(
        values["COMMERCE_URL"], values["COMMERCE_ADMIN_EMAIL"], values["COMMERCE_ADMIN_PASSWORD"]
    )
    editor = Editor(
        values["SANITY_API_HOST"],
        project_id=values["SANITY_PROJECT_ID"],
        dataset=values["SANITY_DATASET"],
        token=values["SANITY_EDITOR_TOKEN"],
    )
    with closing(admin), closing(editor):
        created = [admin.create(product_body(f"Early {number}")) for number in range(EVENTS - 2)]
        admin.update(created[0]["id"], {"title": "Early, renamed"})
        admin.delete(created[1]["id"])

        fresh_stack.up()
        comparison = wait_until_in_step(admin, editor)

        assert comparison.compared == EVENTS - 3
        assert editor.document(f"sync.tombstone.{created[1]['id']}") is not None
