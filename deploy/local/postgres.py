"""PostgreSQL 18: TCP on loopback only, logical decoding on, data that survives a power cut."""

import contextlib
import os
import shutil
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import ClassVar, Final

import psutil
import psycopg

from deploy.local import account
from deploy.local.instance import Instance
from deploy.local.ports import HOST
from deploy.local.process import Cancel, Command, run
from deploy.local.server import Server

SUPERUSER: Final = "postgres"
INITDB_OPTIONS: Final = (
    f"--username={SUPERUSER}",
    "--encoding=UTF8",
    "--locale-provider=builtin",  # the same order of texts on every machine
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth=scram-sha-256",
)
# Shared with docker-compose.yml: what the outbox needs.
SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "wal_level": "logical",
        "max_replication_slots": "10",
        "max_wal_senders": "10",
        # A connector that is away for good must not fill the disk: it loses the slot instead,
        # which every part of this project notices (design: "rows recovered after a lost slot").
        "max_slot_wal_keep_size": "4GB",
        "max_connections": "200",
        "password_encryption": "scram-sha-256",
        "timezone": "UTC",
        "log_timezone": "UTC",
    }
)
# For a small machine that is shared with everything else.
LOCAL_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "shared_buffers": "128MB",
        "min_wal_size": "128MB",
        "max_wal_size": "1GB",
        "unix_socket_directories": "",
        "listen_addresses": HOST,
        "logging_collector": "off",
        "log_line_prefix": "%m [%p] %q%u@%d ",
    }
)
# With LOCAL_POSTGRES_FSYNC=off: quicker, and a power cut may lose or break data.
VOLATILE_SETTINGS: Final[Mapping[str, str]] = MappingProxyType(
    {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
)


class Postgres(Server):
    """The database server. As root it runs under the account `postgres` or `nobody`."""

    name: ClassVar[str] = "postgres"
    ports: ClassVar[tuple[str, ...]] = ("postgres",)
    stop_signal: ClassVar[signal.Signals] = signal.SIGINT  # "fast": doesn't wait for clients

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self.account = account.unprivileged()

    @property
    def data(self) -> Path:
        """The data directory; there only when initdb has finished."""
        return self.instance.directory / "postgres" / "data"

    def dsn(self, user: str, password: str, database: str) -> str:
        """A connection URL of this server."""
        address = self.instance.ports.address("postgres")
        return f"postgresql://{user}:{password}@{address}/{database}"

    def superuser_dsn(self, database: str) -> str:
        """A connection URL of the superuser."""
        return self.dsn(SUPERUSER, self.instance.credentials.postgres_password, database)

    def prepare(self, cancel: Cancel) -> None:
        """Create the data directory unless there is one, and clear what a dead server left."""
        if not self.data.exists():
            self._initialise(cancel)
        self._clear_lock_file()

    def command(self) -> Command:
        """`postgres` itself, not `pg_ctl`: its output is the log, its pid the server's."""
        settings = {**SETTINGS, **LOCAL_SETTINGS, "port": str(self.port)}
        if os.environ.get("LOCAL_POSTGRES_FSYNC") == "off":
            settings |= VOLATILE_SETTINGS
        options = [part for name, text in settings.items() for part in ("-c", f"{name}={text}")]
        return self._as_account("postgres", "-D", str(self.data), *options)

    def is_ready(self) -> bool:
        """Whether a session can be opened (which also proves that it is our server)."""
        try:
            with psycopg.connect(self.superuser_dsn("postgres"), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def run_sql(self, file: Path, values: Mapping[str, str], cancel: Cancel) -> str:
        """Run a psql script as superuser; the script reads `values` with psql's getenv."""
        login = {
            "PGHOST": HOST,
            "PGPORT": str(self.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": self.instance.credentials.postgres_password,
            "PGDATABASE": "postgres",
        }
        command = Command(
            arguments=(
                str(self.instance.packages.postgres / "psql"),
                *("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file", str(file)),
            ),
            environment=self.instance.environment(login | dict(values)),
            directory=self.instance.directory,
        )
        return run(file.name, command, cancel)

    def _initialise(self, cancel: Cancel) -> None:
        """Run initdb beside the final place and move it there when it is whole."""
        draft = self.data.with_name("data.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True, mode=0o700)
        password = draft.with_name("password.new")
        password.touch(mode=0o600)
        password.write_text(self.instance.credentials.postgres_password)
        if self.account is not None:
            self.account.own(draft, password)
        options = (*INITDB_OPTIONS, f"--pwfile={password}", "--no-instructions")
        try:
            run("initdb", self._as_account("initdb", "-D", str(draft), *options), cancel)
        finally:
            password.unlink(missing_ok=True)
        draft.rename(self.data)

    def _clear_lock_file(self) -> None:
        """Find a server again whose pid file was lost; remove the lock file of a dead one.

        Postgres refuses to start while any process has the pid in `postmaster.pid`, also one
        that got the pid later and has nothing to do with it.
        """
        lock = self.data / "postmaster.pid"
        with contextlib.suppress(FileNotFoundError, ValueError, IndexError):
            pid = int(lock.read_text().splitlines()[0])
            if _serves(pid, self.data):
                self.daemon.adopt(pid)
            else:
                lock.unlink()

    def _as_account(self, program: str, *arguments: str) -> Command:
        path = self.instance.packages.postgres / program
        command: Sequence[str] = [str(path), *arguments]
        if self.account is not None:
            # Both the binaries and the parent of the data must be within the account's reach.
            command = self.account.wrap(command, (path, self.instance.directory))
        return Command(command, self.instance.environment(), self.instance.directory)


def _serves(pid: int, data: Path) -> bool:
    """Whether a process is the postmaster of this data directory."""
    try:
        return str(data) in psutil.Process(pid).cmdline()
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return False
