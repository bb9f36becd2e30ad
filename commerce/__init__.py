"""The product system: Admin API on Postgres, each write with its event."""
