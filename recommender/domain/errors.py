"""The exception tree.

RecommenderError
├── UsageError            bad input or misuse (exit 2)
│   ├── CatalogError      a knowledge file is wrong: file, line, path, what would be valid
│   ├── RecordingError    a recording cannot be read or comes from a newer schema
│   └── ModelFileError    a model file is broken, truncated or not what it says
├── ActionFailed          an action failed (exit 1)
│   ├── ExecutorUnavailable   a framework, its environment or its token is not there; the hint unlocks it
│   └── StepFailed            a step in a child process failed, by class (see `measurement.FAILURES`)
│       ├── Unsupported       this version cannot do it
│       ├── OutOfMemory
│       ├── WrongOutput       what came out is not what was asked
│       └── Fallback          it ran, but not where or how it was asked
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


class ExecutorUnavailable(ActionFailed):
    """What is needed to run or make it is not there."""

    code = "executor-unavailable"


class StepFailed(ActionFailed):
    """A step that ran in a child process failed; `kind` is one of `measurement.FAILURES`."""

    code = "step-failed"
    kind = "tool-bug"

    def __init__(self, message: str, *, kind: str = "", hints: tuple[str, ...] = ()):
        super().__init__(message, hints=hints)
        self.kind = kind or type(self).kind


class Unsupported(StepFailed):
    """This version of the framework cannot do what was asked, and says so."""

    kind = "unsupported"


class OutOfMemory(StepFailed):
    """Not enough memory of the host or the device."""

    kind = "out-of-memory"


class WrongOutput(StepFailed):
    """NaN, a wrong shape, an artifact that is not what was asked (a quantizer that did nothing)."""

    kind = "wrong-output"


class Fallback(StepFailed):
    """It ran, but on another unit or in another precision than was asked."""

    kind = "fallback"


class DeviceLost(RecommenderError):
    """A device or its infrastructure vanished while we used it."""

    exit_code = 5
    code = "device-lost"
