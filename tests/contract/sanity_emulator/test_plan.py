"""The query planner against plain groq-js, on thousands of made-up queries and datasets."""

import subprocess
from pathlib import Path

SUITE = Path(__file__).with_name("plan.test.mjs")
TIMEOUT_SECONDS = 300


def test_indexes_never_change_an_answer(node: Path) -> None:
    done = subprocess.run(
        [str(node), "--test", str(SUITE)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
