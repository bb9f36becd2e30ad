"""Packages: lists of jars with hashes, room on the disk, downloads that were cut off."""

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.local.errors import DiskFullError, InstallError, StartCancelledError
from deploy.local.install import (
    DEBEZIUM_LIST,
    KAFKA_LIST,
    Jar,
    fetch_jar,
    jars_of,
    require_room,
    version_of,
)

CONTENT = b"the jar"
JAR = Jar("org.example", "thing", "1.0", hashlib.sha256(CONTENT).hexdigest())


@dataclass
class Repository:
    """Stands for Maven's: `send` writes what the network brings into the local cache."""

    cached: Path
    send: Callable[[Path], object]
    asked: int = 0

    def project(self, group: str, artifact: str) -> "Repository":
        assert (group, artifact) == (JAR.group, JAR.artifact)
        return self

    def at_version(self, version: str) -> "Repository":
        assert version == JAR.version
        return self

    def artifact(self) -> "Repository":
        return self

    def resolve(self) -> Path:
        if not self.cached.exists():
            self.asked += 1
            self.send(self.cached)
        return self.cached


@pytest.mark.parametrize("listing", [KAFKA_LIST, DEBEZIUM_LIST])
def test_every_jar_has_coordinates_and_a_hash(listing: Path) -> None:
    jars = jars_of(listing)

    assert all(re.fullmatch(r"[0-9a-f]{64}", jar.sha256) for jar in jars)
    assert len({jar.file_name for jar in jars}) == len(jars) > 10


def test_all_of_kafka_has_one_version() -> None:
    versions = {jar.version for jar in jars_of(KAFKA_LIST) if jar.group == "org.apache.kafka"}

    assert versions == {version_of(KAFKA_LIST, "connect-runtime")}


def test_the_plugin_brings_nothing_that_the_worker_has_to_share() -> None:
    assert "org.apache.kafka" not in {jar.group for jar in jars_of(DEBEZIUM_LIST)}


def test_too_little_room_is_told_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError, match="make room, or choose another place"):
        require_room(tmp_path / "not" / "there" / "yet", 2**62)


def test_a_jar_is_put_into_the_folder(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "cache.jar", lambda path: path.write_bytes(CONTENT))

    fetch_jar(JAR, tmp_path, repository, threading.Event())

    assert (tmp_path / "thing-1.0.jar").read_bytes() == CONTENT


def test_a_download_that_was_cut_off_is_made_again(tmp_path: Path) -> None:
    cached = tmp_path / "cache.jar"
    cached.write_bytes(CONTENT[:3])
    repository = Repository(cached, lambda path: path.write_bytes(CONTENT))

    fetch_jar(JAR, tmp_path, repository, threading.Event())

    assert (tmp_path / "thing-1.0.jar").read_bytes() == CONTENT
    assert repository.asked == 1


def test_a_jar_with_another_hash_is_refused(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "cache.jar", lambda path: path.write_bytes(b"other"))

    with pytest.raises(InstallError, match="SHA-256"):
        fetch_jar(JAR, tmp_path, repository, threading.Event())

    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_away_is_told(tmp_path: Path) -> None:
    def send(_path: Path) -> None:
        raise OSError("no route")

    with pytest.raises(InstallError, match="is the network there"):
        fetch_jar(JAR, tmp_path, Repository(tmp_path / "c", send), threading.Event())


def test_a_cancelled_installation_fetches_nothing_more(tmp_path: Path) -> None:
    cancel = threading.Event()
    cancel.set()
    repository = Repository(tmp_path / "cache.jar", lambda path: path.write_bytes(CONTENT))

    with pytest.raises(StartCancelledError):
        fetch_jar(JAR, tmp_path, repository, cancel)

    assert repository.asked == 0
