"""Jobs run again when what they depend on has changed, and are left out otherwise."""

import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deploy.local.errors import JobError
from deploy.local.install import ROOT
from deploy.local.instance import Instance
from deploy.local.jobs import Job
from deploy.local.ports import Ports
from deploy.local.process import Cancel

SOURCE = ROOT / "deploy" / "local" / "jobs.py"


@dataclass
class Work:
    """Counts its runs."""

    runs: int = 0
    problems: list[JobError] = field(default_factory=list)

    def __call__(self, _instance: Instance, _cancel: Cancel) -> str:
        self.runs += 1
        if self.problems:
            raise self.problems.pop()
        return "done"


@pytest.fixture
def instance(tmp_path: Path) -> Instance:
    return Instance(tmp_path, Ports())


def test_a_job_that_was_done_is_left_out(instance: Instance) -> None:
    work = Work()
    job = Job("job", (), work, "postgres", (SOURCE,))

    assert job.ensure(instance, threading.Event()) == "done"
    assert job.ensure(instance, threading.Event()) == "unchanged"
    assert work.runs == 1


def test_a_job_that_is_asked_for_runs_in_any_case(instance: Instance) -> None:
    work = Work()
    job = Job("job", (), work, "postgres", (SOURCE,))

    job.ensure(instance, threading.Event())
    job.ensure(instance, threading.Event(), always=True)

    assert work.runs == 2


def test_a_job_runs_again_when_its_sources_have_changed(instance: Instance) -> None:
    work = Work()

    Job("job", (), work, "postgres", (SOURCE,)).ensure(instance, threading.Event())
    Job("job", (), work, "postgres", (SOURCE.parent,)).ensure(instance, threading.Event())

    assert work.runs == 2


def test_a_job_runs_again_when_its_effect_is_gone(instance: Instance) -> None:
    work = Work()
    job = Job("job", (), work, "postgres", (SOURCE,), holds=lambda _i, _c: False)

    job.ensure(instance, threading.Event())
    job.ensure(instance, threading.Event())

    assert work.runs == 2


def test_a_job_that_failed_runs_again(instance: Instance) -> None:
    work = Work(problems=[JobError("job", "failed", "")])
    job = Job("job", (), work, "postgres", (SOURCE,))

    with pytest.raises(JobError):
        job.ensure(instance, threading.Event())

    assert job.ensure(instance, threading.Event()) == "done"
