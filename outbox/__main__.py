"""The command `outbox`, also as `python -m outbox`."""

import sys


def main() -> None:
    """Run the command. Its packages are an extra, so they may be missing: exit code 1 then."""
    try:
        from outbox.cli import app  # noqa: PLC0415 - what may fail
    except ModuleNotFoundError as exc:
        if str(exc.name).partition(".")[0] == "outbox":
            raise
        sys.exit(
            f"outbox: the package {exc.name} is missing, since the library alone is installed: "
            "install outbox-to-sanity[cli]"
        )
    app(prog_name="outbox")


if __name__ == "__main__":
    main()
