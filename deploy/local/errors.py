"""What can go wrong when the local stack starts or stops; every message says what to do next.

LocalStackError
├── SettingsError            a port base out of bounds, an unknown part, another base in use
├── PortTakenError           somebody else listens on a port of ours
├── DiskFullError            too little room for packages or data
├── InstallError             a package could not be fetched or unpacked
├── StartError               a server ended, or was not ready in time
├── JobError                 a command that prepares the stack failed
└── StartCancelledError      interrupted; what this start started is stopped
"""

from pathlib import Path


class LocalStackError(Exception):
    """Anything that keeps the local stack from running."""


class SettingsError(LocalStackError):
    """A setting that cannot be used."""


class PortTakenError(LocalStackError):
    """A foreign process listens on a port of this instance."""

    def __init__(self, port: int, part: str, holder: str) -> None:
        self.port = port
        self.part = part
        self.holder = holder
        super().__init__(
            f"port {port} for {part} is taken by {holder}: stop it, "
            "or choose another block with LOCAL_PORT_BASE (for example LOCAL_PORT_BASE=8100)"
        )


class DiskFullError(LocalStackError):
    """Too little room on the disk that holds a directory."""

    def __init__(self, directory: Path, free_bytes: int, needed_bytes: int) -> None:
        self.directory = directory
        self.free_bytes = free_bytes
        self.needed_bytes = needed_bytes
        super().__init__(
            f"{directory} has {free_bytes // 2**20} MiB free, {needed_bytes // 2**20} MiB are "
            "needed: make room, or choose another place with --directory"
        )


class InstallError(LocalStackError):
    """A package could not be fetched or unpacked."""


class StartError(LocalStackError):
    """A server ended before it was ready, or was not ready in time."""

    def __init__(self, part: str, reason: str, log: Path, tail: str) -> None:
        self.part = part
        self.log = log
        self.tail = tail
        super().__init__(f"{part} {reason}. The end of {log}:\n{tail}")


class JobError(LocalStackError):
    """A command that prepares the stack failed."""

    def __init__(self, job: str, reason: str, output: str) -> None:
        self.job = job
        self.output = output
        super().__init__(f"{job} {reason}:\n{output}")


class StartCancelledError(LocalStackError):
    """The start was interrupted."""

    def __init__(self) -> None:
        super().__init__("interrupted: what this start had started is stopped again")
