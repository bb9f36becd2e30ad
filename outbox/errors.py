"""What can go wrong in the outbox.

OutboxError
├── PublishError                    nothing was published
│   ├── NotInTransactionError       the event would not share the fate of the write
│   ├── InvalidEventError           the caller's event is refused; `constraint` names the rule
│   │   ├── InvalidAggregateIdError
│   │   ├── InvalidTypeError
│   │   ├── InvalidPayloadError
│   │   │   └── PayloadTooLargeError
│   │   └── UnknownRouteError       no such route is registered, so no topic waits for it
│   └── OutboxNotReadyError         the schema or a right is missing: an operator's task
├── MigrationError
│   ├── MigrationNameError          a file is not called `NNNN_slug.sql`, or a number comes twice
│   ├── MigrationChangedError       an applied file reads otherwise today
│   ├── MigrationOrderError         a new file stands before one that was applied
│   └── MigrationFailedError        Postgres refused a statement
├── ReplicationError                publication or slot don't promise what the outbox needs
│   ├── WalLevelError
│   ├── PublicationError
│   ├── SlotMissingError
│   └── SlotLostError               events may be missing downstream: an operator decides
├── RetentionError
│   └── UnreadPartitionError        a day that the slot has not passed must not be dropped
├── RevisionError                   the floor under revisions is not lowered
├── ConnectorError
│   ├── ConnectUnavailableError
│   ├── ConnectorMissingError
│   ├── ConnectorRefusedError       Connect or our own check refused the configuration
│   └── CanaryLostError             an event was written and did not arrive in time
├── TopicError
│   ├── BrokerUnavailableError
│   └── TopicMismatchError          the broker, the file or the route registry disagree
└── SettingsError

Errors that are about the caller's whole transaction (serialization failure, deadlock, a lost
connection) are not translated: whoever began it has a retry for them and knows psycopg's names.
"""


class OutboxError(Exception):
    """Base of all errors of this package."""


class PublishError(OutboxError):
    """Nothing was published."""


class NotInTransactionError(PublishError):
    """The connection is not inside a transaction that the caller commits."""


class InvalidEventError(PublishError):
    """The event breaks a rule of the contract; `constraint` is the rule's name in Postgres."""

    def __init__(self, message: str, *, constraint: str | None = None) -> None:
        super().__init__(message)
        self.constraint = constraint


class InvalidAggregateIdError(InvalidEventError):
    """The aggregate id is empty, too long or has other characters than `A-Za-z0-9_-`."""


class InvalidTypeError(InvalidEventError):
    """The type is not `<aggregate type>.<created|updated|deleted|sync_requested>`."""


class InvalidPayloadError(InvalidEventError):
    """The payload is not a JSON object."""


class PayloadTooLargeError(InvalidPayloadError):
    """The payload has more bytes than a record may carry."""


class UnknownRouteError(InvalidEventError):
    """The route is not in `outbox.route`, so no topic waits for the event."""


class OutboxNotReadyError(PublishError):
    """Postgres has no outbox schema, or the role may not use it."""


class MigrationError(OutboxError):
    """The schema could not be brought up to date."""


class MigrationNameError(MigrationError):
    """A migration file has a name that gives no order."""


class MigrationChangedError(MigrationError):
    """A file that was applied has been changed since."""


class MigrationOrderError(MigrationError):
    """A file that was not applied stands before one that was."""


class MigrationFailedError(MigrationError):
    """Postgres refused a migration; nothing of that file was kept."""


class ReplicationError(OutboxError):
    """The publication or the replication slot does not promise what the outbox needs."""


class WalLevelError(ReplicationError):
    """The server does not write logical WAL."""


class PublicationError(ReplicationError):
    """The publication is missing or publishes something else than the outbox needs."""


class SlotMissingError(ReplicationError):
    """There is no such replication slot in this database."""


class SlotLostError(ReplicationError):
    """The slot has lost WAL that Debezium had not read."""


class RetentionError(OutboxError):
    """Partitions could not be made or dropped."""


class UnreadPartitionError(RetentionError):
    """The slot has not passed every row of the day."""


class RevisionError(OutboxError):
    """The floor under revisions can't be set there."""


class ConnectorError(OutboxError):
    """Kafka Connect or the connector does not do what was asked."""


class ConnectUnavailableError(ConnectorError):
    """Kafka Connect's REST API does not answer."""


class ConnectorMissingError(ConnectorError):
    """Connect knows no connector of this name."""


class ConnectorRefusedError(ConnectorError):
    """The configuration was refused."""


class CanaryLostError(ConnectorError):
    """A canary event was written to the outbox and did not come out of Kafka in time."""


class TopicError(OutboxError):
    """Topics are not as the file wants them."""


class BrokerUnavailableError(TopicError):
    """No Kafka broker answers."""


class TopicMismatchError(TopicError):
    """The topics file, the broker and the route registry do not fit together."""


class SettingsError(OutboxError):
    """A setting is missing or out of bounds."""
