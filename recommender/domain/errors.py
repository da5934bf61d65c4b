"""The exception tree.

RecommenderError
├── UsageError            bad input or misuse (exit 2)
│   ├── CatalogError      a knowledge file is wrong: file, line, path, what would be valid
│   ├── RecordingError    a recording cannot be read or comes from a newer schema
│   └── ModelFileError    a model file is broken, truncated or not what it says
├── ActionFailed          an action failed (exit 1)
└── DeviceLost            a device or its infrastructure vanished (exit 5)

No feasible candidate is an answer (exit 3), not an exception. Probes never raise outward.
"""

from __future__ import annotations


class RecommenderError(Exception):
    """Root of all errors meant for the user.

    Args:
        message: one line that names the user's own words.
        hints: lines that can be pasted into a shell.
    """

    exit_code = 1
    code = "error"

    def __init__(self, message: str, *, hints: tuple[str, ...] = ()):
        super().__init__(message)
        self.message = message
        self.hints = hints


class UsageError(RecommenderError):
    """Bad input or misuse."""

    exit_code = 2
    code = "usage"


class CatalogError(UsageError):
    """A knowledge file is wrong; `where` is `file:line`."""

    code = "catalog"

    def __init__(self, message: str, *, where: str = "", hints: tuple[str, ...] = ()):
        super().__init__(f"{where}: {message}" if where else message, hints=hints)
        self.where = where


class RecordingError(UsageError):
    """A recording cannot be read."""

    code = "recording"


class ModelFileError(UsageError):
    """A model file is broken, truncated, or not what its name says."""

    code = "model-file"


class ActionFailed(RecommenderError):
    """An action that was asked for did not succeed."""

    code = "action-failed"


class DeviceLost(RecommenderError):
    """A device or its infrastructure vanished while we used it."""

    exit_code = 5
    code = "device-lost"
