"""`python -m outbox`."""

from outbox.cli import app

app(prog_name="outbox")
