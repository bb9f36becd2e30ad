"""The whole stack as ordinary processes: no Docker, no system Java, Node or Postgres."""
