"""What can go wrong, in words for the person who has to mend it.

    RagError                 exit 5   base: one line that holds the value and the next step
    ├── UsageError           exit 2   the call is wrong: empty question, unknown report, bad configuration value
    ├── IndexDamaged         exit 3   the index on disk fails a check
    │   └── IndexMismatch    exit 3   the index was made with another encoder, chunker or format
    ├── NothingIndexed       exit 4   no index there, or an empty one
    ├── IndexBusy            exit 5   another process is writing
    ├── UnreadableFile       exit 5   one file cannot be read; the others go on
    ├── EncoderError         exit 5   the encoder is missing or unusable
    └── LLMError             exit 5   the endpoint failed; extracts are still available

Libraries raise these; only the command line and the page turn them into a line for people.
"""


class RagError(Exception):
    """Base of all errors that are shown to people as one line."""

    exit_code = 5


class UsageError(RagError):
    """The call itself is wrong."""

    exit_code = 2


class IndexDamaged(RagError):
    """A file of the index is missing, truncated or does not have the recorded sha256."""

    exit_code = 3


class IndexMismatch(IndexDamaged):
    """The index is whole but was made with another encoder, chunker or format."""


class NothingIndexed(RagError):
    """There is no index at that place, or it holds no document."""

    exit_code = 4


class IndexBusy(RagError):
    """Another process holds the writer's lock."""


class UnreadableFile(RagError):
    """One file cannot be turned into a document; `reason` says why, without the file's name."""

    def __init__(self, path: object, reason: str):
        super().__init__(f"{path}: {reason}")
        self.reason = reason


class EncoderError(RagError):
    """The encoder cannot be loaded or gave unusable vectors."""


class LLMError(RagError):
    """The language model's endpoint failed or gave nothing usable."""
