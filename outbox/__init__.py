"""The transactional outbox: an event joins the transaction of the write that it tells about.

Usage example::

    with conn.transaction():
        conn.execute("update product set title = %s where id = %s", [title, product_id])
        publish(conn, NewEvent(product_id, EventType.UPDATED, whole_state))
"""

from outbox.event import ChangeEvent, EventType, Header
from outbox.new_event import NewEvent
from outbox.publish import (
    lock_aggregates,
    lock_aggregates_async,
    lock_aggregates_statement,
    publish,
    publish_async,
    publish_many,
    publish_many_async,
    publish_many_statements,
    publish_statement,
)

__all__ = [
    "ChangeEvent",
    "EventType",
    "Header",
    "NewEvent",
    "lock_aggregates",
    "lock_aggregates_async",
    "lock_aggregates_statement",
    "publish",
    "publish_async",
    "publish_many",
    "publish_many_async",
    "publish_many_statements",
    "publish_statement",
]
