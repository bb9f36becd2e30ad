import pytest

from consumer.apply import Applier
from consumer.document import TOMBSTONE_PREFIX
from deploy.demo.admin import Admin
from deploy.demo.editor import Editor
from deploy.demo.trace import Trace
from tests.faults.conftest import StartConsumer
from tests.fix_backend import Backend
from tests.fix_shop import ProductBody
from tests.oracle import falls, past, repetitions, wait_until_in_step

STEPS = [*(step.__name__ for step in object.__new__(Applier).steps), "commit"]


@pytest.mark.usefixtures("no_consumer")
def test_killed_after_each_step_in_turn_nothing_is_lost_repeated_or_resurrected(
    admin: Admin,
    editor: Editor,
    trace: Trace,
    backend: Backend,
    start_consumer: StartConsumer,
    product_body: ProductBody,
) -> None:
    """One consumer after another dies, each a step later; each batch creates, renames, deletes."""
    renamed = admin.create(product_body("Renamed"))["id"]
    doomed = [admin.create(product_body(f"Doomed {step}"))["id"] for step in STEPS]

    for number, step in enumerate(STEPS):
        admin.create(product_body(f"Created before {step}"))
        admin.update(renamed, {"title": f"Renamed {number}"})
        admin.delete(doomed[number])
        assert start_consumer(dies_after=step).wait_dead() == -9, step

    last = start_consumer()
    last.wait_ready()
    comparison = wait_until_in_step(admin, editor)

    assert comparison.compared >= len(STEPS) + 1
    document = trace.wait_for(renamed, lambda body: body["title"] == f"Renamed {len(STEPS) - 1}")
    assert document["sync"]["revision"] == len(STEPS) + 1
    assert editor.documents(*doomed) == []
    mine = {renamed, *doomed}
    states = [state for state in past(backend) if state[1].removeprefix(TOMBSTONE_PREFIX) in mine]
    assert falls(states) == []
    assert repetitions(states) == []
