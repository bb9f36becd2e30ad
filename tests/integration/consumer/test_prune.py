import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from consumer.document import timestamp
from deploy.demo.editor import Editor
from tests.fix_backend import Servers

SANITY = (
    "SANITY_API_HOST",
    "SANITY_USE_PROJECT_HOSTNAME",
    "SANITY_PROJECT_ID",
    "SANITY_DATASET",
    "SANITY_TOKEN",
)


@pytest.fixture
def scratch(servers: Servers) -> Mapping[str, str]:
    """The settings of a dataset that nobody else uses."""
    values = servers.need("emulator")
    dataset = f"prune-{uuid.uuid4().hex[:8]}"
    settings = {name: values[name] for name in SANITY} | {"SANITY_DATASET": dataset}
    host, project = settings["SANITY_API_HOST"], settings["SANITY_PROJECT_ID"]
    answer = httpx.put(
        f"{host}/v2021-06-07/projects/{project}/datasets/{dataset}",
        json={"aclMode": "private"},
        headers={"Authorization": f"Bearer {settings['SANITY_TOKEN']}"},
        trust_env=False,
    )
    answer.raise_for_status()
    return settings


@pytest.fixture
def content(scratch: Mapping[str, str]) -> Iterator[Editor]:
    """What lies in the scratch dataset."""
    editor = Editor(
        scratch["SANITY_API_HOST"],
        project_id=scratch["SANITY_PROJECT_ID"],
        dataset=scratch["SANITY_DATASET"],
        token=scratch["SANITY_TOKEN"],
    )
    with closing(editor):
        yield editor


def prune(settings: Mapping[str, str], *arguments: str) -> str:
    command = [sys.executable, "-m", "consumer", "prune", *arguments]
    done = subprocess.run(command, env=dict(settings), check=True, capture_output=True, text=True)
    return done.stdout


def test_only_old_tombstones_go_and_only_when_it_is_said(
    scratch: Mapping[str, str], content: Editor
) -> None:
    now = datetime.now(UTC)
    for name, days in (("old", 31), ("older", 90), ("young", 29)):
        content.mutate(
            {
                "create": {
                    "_id": f"sync.tombstone.{name}",
                    "_type": "sync.tombstone",
                    "deletedAt": timestamp(now - timedelta(days=days)),
                    "sync": {"revision": 1},
                }
            }
        )
    ids = [f"sync.tombstone.{name}" for name in ("old", "older", "young")]

    assert "would remove 2 tombstones" in prune(scratch)
    assert len(content.documents(*ids)) == 3

    assert "removed 2 tombstones" in prune(scratch, "--execute")
    assert [body["_id"] for body in content.documents(*ids)] == ["sync.tombstone.young"]
