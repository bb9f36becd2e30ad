"""Under which account a server runs: Postgres refuses to run as root."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import SettingsError

CANDIDATES = ("postgres", "nobody")
PASS_CLOSED_FOLDERS = "+dac_read_search,+dac_override"  # noqa: S105 - names of Linux capabilities


@dataclass(frozen=True)
class Account:
    """Another account than root's."""

    name: str
    uid: int
    gid: int

    def wrap(self, arguments: Sequence[str], passes: Sequence[Path]) -> list[str]:
        """The command line that runs `arguments` as this account.

        Where the account may not pass one of the folders above `passes` (a checkout below a closed
        home, for example), the command keeps the two capabilities that let it pass.
        """
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            raise SettingsError(
                "Postgres can't run as root and `setpriv` is missing: install util-linux, "
                "or run this as an ordinary user"
            )
        switch = [setpriv, f"--reuid={self.uid}", f"--regid={self.gid}", "--clear-groups"]
        tests = [[*switch, "test", "-r", str(path)] for path in passes]
        if not all(subprocess.run(test, check=False).returncode == 0 for test in tests):
            switch += [f"--inh-caps={PASS_CLOSED_FOLDERS}", f"--ambient-caps={PASS_CLOSED_FOLDERS}"]
        return [*switch, "--", *arguments]

    def own(self, *paths: Path) -> None:
        """Give these paths to the account."""
        for path in paths:
            os.chown(path, self.uid, self.gid)


def unprivileged() -> Account | None:
    """The account for servers that refuse root: None when this process isn't root anyway."""
    if os.geteuid() != 0:
        return None
    for name in CANDIDATES:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(name, entry.pw_uid, entry.pw_gid)
    raise SettingsError("there is neither a user `postgres` nor `nobody` to run Postgres as")
