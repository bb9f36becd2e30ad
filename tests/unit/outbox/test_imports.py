import json
import subprocess
import sys

LIBRARY = ["outbox", "outbox.event", "outbox.publish", "outbox.migrate", "outbox.errors"]
TOOLS = {"httpx", "kafka", "pydantic_settings", "rich", "structlog", "typer", "yaml"}


def test_the_library_needs_nothing_but_psycopg_and_pydantic() -> None:
    """The command's packages are an extra; an application that only publishes has none of them."""
    code = f"import {', '.join(LIBRARY)}, sys, json; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )

    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert {"psycopg", "pydantic"} <= loaded
    assert loaded & TOOLS == set()


def test_the_public_names_are_all_there_and_sorted_by_kind() -> None:
    import outbox  # noqa: PLC0415

    assert all(hasattr(outbox, name) for name in outbox.__all__)
    assert len(set(outbox.__all__)) == len(outbox.__all__)
