"""What can go wrong, as a tree; the class decides what becomes of the records.

ConsumerError
├── RetriableError                  the same records again, in order
│   ├── ContentLakeUnavailableError     time-out, cut connection, 408, 5xx, no JSON
│   ├── RateLimitedError                429
│   ├── RevisionConflictError           somebody else wrote: read again, decide again
│   └── DeadLettersUnavailableError     Kafka has not taken what is to be parked
├── PoisonRecordError               park it with the reason, go on
│   ├── MalformedRecordError            can't be read
│   └── MutationRejectedError           Sanity refuses it for its own content
│       └── ReferencedDocumentError         a strong reference holds what is to be deleted
└── HaltError                       pause, say so, park nothing, try again slowly
    ├── UnauthorizedError               401, 403
    ├── QuotaExceededError              402
    ├── DatasetNotFoundError            404
    ├── UnexpectedAnswerError           a status that the Mutate API does not document
    ├── NewerSchemaError                a record from a newer producer
    ├── RevisionSetBackError            counters were set back (a restored database)
    └── SettingsError                   wrong settings or mapping
"""


class ConsumerError(Exception):
    """Any error of this package."""


class RetriableError(ConsumerError):
    """The same request may succeed later."""


class ContentLakeUnavailableError(RetriableError):
    """Sanity did not answer, or answered that it can't. What was sent may have been committed."""


class RateLimitedError(RetriableError):
    """Sanity answered 429; `retry_after` is in seconds, None where it did not say."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RevisionConflictError(RetriableError):
    """A guard of the transaction failed; `indexes` are its mutations, empty where not told."""

    def __init__(self, message: str, *, indexes: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.indexes = indexes


class DeadLettersUnavailableError(RetriableError):
    """The dead letter topic has not taken a record; until it has, its offset is not committed."""


class PoisonRecordError(ConsumerError):
    """This record, or its product, can't be applied as it is."""


class MalformedRecordError(PoisonRecordError):
    """The record breaks the wire contract (`outbox.event`)."""


class MutationRejectedError(PoisonRecordError):
    """Sanity refused the transaction for its content; `indexes` as in `RevisionConflictError`."""

    def __init__(self, message: str, *, indexes: tuple[int, ...] = ()) -> None:
        super().__init__(message)
        self.indexes = indexes


class ReferencedDocumentError(MutationRejectedError):
    """`document_id` can't be deleted: `referencing_ids` hold it by strong references."""

    def __init__(
        self,
        message: str,
        *,
        document_id: str,
        referencing_ids: tuple[str, ...],
        indexes: tuple[int, ...] = (),
    ) -> None:
        super().__init__(message, indexes=indexes)
        self.document_id = document_id
        self.referencing_ids = referencing_ids


class HaltError(ConsumerError):
    """Nothing can be applied until somebody acts; the message says what to do."""


class UnauthorizedError(HaltError):
    """The token is missing, wrong, expired, or may not write."""


class QuotaExceededError(HaltError):
    """The project's quota is used up."""


class DatasetNotFoundError(HaltError):
    """The project or the dataset does not exist."""


class UnexpectedAnswerError(HaltError):
    """Sanity answered with a status that the Mutate API does not document."""


class NewerSchemaError(HaltError):
    """The record's schema version is newer than this consumer: upgrade the consumer first."""


class RevisionSetBackError(HaltError):
    """Revisions were given out twice: run `outbox advance-revisions`, then a bulk sync."""


class SettingsError(HaltError):
    """A setting, the mapping file or the token file can't be used."""
