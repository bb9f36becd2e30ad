"""Fixtures come from plugins, one per kind of thing; nothing starts before a test asks for it."""

pytest_plugins = ["tests.fix_backend", "tests.fix_shop"]
