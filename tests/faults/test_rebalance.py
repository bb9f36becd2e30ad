import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from tests.faults.conftest import PATIENCE_SECONDS, StartConsumer
from tests.fix_backend import Backend
from tests.fix_shop import ProductBody
from tests.oracle import falls, past, wait_until_in_step

PRODUCTS = 24
PARTITIONS = 6


def test_a_consumer_joins_and_leaves_under_load_and_no_record_is_lost(
    admin: Admin,
    editor: Editor,
    backend: Backend,
    start_consumer: StartConsumer,
    product_body: ProductBody,
) -> None:
    products = [admin.create(product_body(f"Load {number}"))["id"] for number in range(PRODUCTS)]
    enough = threading.Event()

    def keep_renaming(product_id: str) -> int:
        count = 0
        while not enough.is_set():
            count += 1
            admin.update(product_id, {"title": f"Load {product_id} {count}"})
        return count

    with ThreadPoolExecutor(4) as pool:
        renames = [pool.submit(keep_renaming, product_id) for product_id in products[:4]]
        try:
            second = start_consumer()
            second.wait_ready()
            _wait_for_share(second.partitions)
            second.popen.terminate()
            assert second.wait_dead() == 0, second.log.read_text()[-3000:]
            for product_id in products[4:]:
                admin.update(product_id, {"title": f"after the leave {product_id}"})
        finally:
            enough.set()
    wait_until_in_step(admin, editor)

    assert sum(each.result() for each in renames) > 4
    assert second.log.read_text().count('"record_applied"') > 0
    assert falls(past(backend)) == []


def _wait_for_share(partitions: Callable[[], list[int]]) -> None:
    """The second member holds some partitions, the first one the others."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not 0 < len(partitions()) < PARTITIONS:
        assert time.monotonic() < deadline, partitions()
        time.sleep(0.1)
