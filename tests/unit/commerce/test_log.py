import json
import subprocess
import sys

import pytest

LOG_AN_ERROR = """
import logging, structlog
from commerce.log import configure

configure({format!r}, "info")

def log_in(password):
    raise RuntimeError("broken")

try:
    log_in("a secret " + "value")
except RuntimeError:
    structlog.get_logger().exception("request_failed", path="/x")
logging.getLogger("psycopg").warning("error ignored terminating %r: %s", 1, "pipeline aborted")
logging.getLogger("psycopg.pool").warning("connection lost")
"""


def written(log_format: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", LOG_AN_ERROR.format(format=log_format)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_a_traceback_shows_no_local_variables(log_format: str) -> None:
    output = written(log_format)

    assert "broken" in output
    assert "secret value" not in output


def test_each_line_is_one_json_object_also_from_libraries() -> None:
    lines = [json.loads(line) for line in written("json").splitlines()]

    assert [line["event"] for line in lines] == ["request_failed", "connection lost"]
    assert lines[0]["path"] == "/x"
    assert all({"level", "timestamp"} <= line.keys() for line in lines)
