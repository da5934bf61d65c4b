"""The storages that hold the record of a sweep: how their URLs are read, and how a call outlives one that is away for a while."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from recommender.domain.errors import ActionFailed, ExecutorUnavailable, UsageError

INSTALL = "pip install 'edge-recommender[tune]'"
GRPC_PORT = 13000  # of Optuna's proxy
FIRST_PAUSE, LONGEST_PAUSE = 0.2, 10.0  # seconds between attempts on a storage that is away
_ATTEMPTS = 5  # at opening: workers that begin at once make the tables at once, and all but one fail
_AWAY = {"OperationalError", "InterfaceError", "DisconnectionError", "ConnectionError", "TimeoutError"}  # as drivers and libraries name them
_AWAY_CODES = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "ABORTED"}  # of gRPC
_BEHIND = "is raised during the commit"  # what a proxy says of any fault of the database behind it
_HINTS = ("--storage journal:sweep.log", "--storage sqlite:///sweep.db", "--storage postgresql://user@host/sweeps", "--storage grpc://host:13000")

T = TypeVar("T")


def storage_of(url: str) -> Any:
    """`journal:PATH` (a file on one host), `sqlite:///PATH`, `postgresql://...`, `grpc://HOST:PORT` (Optuna's proxy).

    Raises:
        UsageError: none of these, or it cannot be opened. ExecutorUnavailable: a package is missing.
    """
    try:
        quiet()
        scheme, _, rest = url.partition(":")
        if scheme == "journal" and rest:
            return _journal(_made_folder(rest))
        if scheme == "grpc" and rest.startswith("//"):
            return _proxy(rest[2:].rstrip("/"))
        if scheme == "sqlite" and rest.startswith("///"):
            _made_folder(rest[3:].partition("?")[0])
        if scheme.partition("+")[0] in ("sqlite", "postgresql", "mysql"):
            return _database(url.replace("postgresql://", "postgresql+psycopg://", 1), {"connect_args": {"timeout": 60}} if scheme == "sqlite" else {"pool_pre_ping": True})
    except ImportError as error:
        raise ExecutorUnavailable(f"--storage `{url}`: {error.name or error} is not installed", hints=(INSTALL,)) from None
    except Exception as error:  # whatever the driver of a database raises
        raise UsageError(f"--storage `{url}` cannot be opened: {said(error)}", hints=_HINTS) from None
    raise UsageError(f"--storage `{url}` is no storage that is known", hints=_HINTS)


def quiet() -> None:
    """What Optuna logs and warns of, its samplers too, is ours to say."""
    import warnings

    import optuna

    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)


def _made_folder(path: str) -> Path:
    found = Path(path).absolute()
    found.parent.mkdir(parents=True, exist_ok=True)
    return found


def _journal(path: Path) -> Any:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    lock = FileLock(path)
    lock.acquire()
    try:
        drop_torn_line(path)
    finally:
        lock.release()
    return JournalStorage(JournalFileBackend(str(path), lock_obj=lock))  # type: ignore[arg-type]  # has the two methods that are called


def _proxy(address: str) -> Any:
    import warnings

    from optuna.storages import GrpcStorageProxy

    host, _, port = address.partition(":")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of protobuf, about the release that wrote Optuna's messages
        return GrpcStorageProxy(host=host, port=int(port or GRPC_PORT))


def _database(url: str, engine: dict[str, Any]) -> Any:
    from optuna.storages import RDBStorage, get_storage

    for attempt in range(1, _ATTEMPTS + 1):
        try:
            return get_storage(RDBStorage(url, engine_kwargs=engine))  # with Optuna's cache: what is finished is read once
        except ImportError:
            raise
        except Exception:
            if attempt == _ATTEMPTS:
                raise
            time.sleep(FIRST_PAUSE * attempt)
    raise AssertionError("the last attempt returns or raises")


def drop_torn_line(path: Path) -> None:
    """What a process that was killed while it wrote, or a loss of power, left of a last line: all who read on would fail at it."""
    if not path.exists() or not path.stat().st_size:
        return
    with path.open("rb+") as stream:
        stream.seek(-1, 2)
        if stream.read(1) != b"\n":
            stream.seek(0)
            stream.truncate(stream.read().rfind(b"\n") + 1)


class FileLock:
    """A lock between processes that the system takes back when its holder is killed: Optuna's own, a file that stays, holds all others up for half a minute."""

    def __init__(self, path: Path):
        self._path = path.with_name(path.name + ".lock")

    def acquire(self) -> bool:
        self._stream = self._path.open("w")
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(self._stream.fileno(), msvcrt.LK_LOCK, 1)
        else:
            import fcntl

            fcntl.flock(self._stream, fcntl.LOCK_EX)
        return True

    def release(self) -> None:
        self._stream.close()


class Patience:
    """Calls outlive a storage that is away for up to `most` seconds. `back`: when it last came back, by `clock`; None while it never was away."""

    def __init__(self, url: str, most: float, say: Callable[[str], None], clock: Callable[[], float], pause: Callable[[float], None]):
        self._url, self._most, self._say, self._clock, self._pause = url, most, say, clock, pause
        self.back: float | None = None

    def __call__(self, call: Callable[[], T], most: float | None = None) -> T:
        """Raises ActionFailed when the storage stays away; errors that are no fault of the connection as they are."""
        waited = 0.0
        for pause in _pauses():
            try:
                found = call()
            except Exception as error:  # drivers raise what they like
                if not is_away(error):
                    raise
                if waited >= (self._most if most is None else most):
                    raise ActionFailed(f"the storage `{self._url}` is away for {waited:.0f} s: {said(error)}", hints=("the same line again, once it is back: nothing finished is lost",)) from error
                if not waited:
                    self._say(f"the storage `{self._url}` is away; waiting")
                self._pause(pause)
                waited += pause
            else:
                if waited:
                    self._say(f"the storage `{self._url}` is back")
                    self.back = self._clock()
                return found
        raise AssertionError("pauses do not end")


def is_away(error: BaseException | None) -> bool:
    """Whether an error, or one that it comes from or came up while that was handled, is one of the connection."""
    if error is None:
        return False
    if "RpcError" in {kind.__name__ for kind in type(error).__mro__}:
        return error.code().name in _AWAY_CODES or _BEHIND in str(error.details())  # type: ignore[attr-defined]
    return bool(_AWAY & {kind.__name__ for kind in type(error).__mro__}) or is_away(_origin(error))


def _origin(error: BaseException) -> BaseException | None:
    return error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def said(error: BaseException) -> str:
    """The first line of what the driver said, which libraries hide behind their own words."""
    while (origin := _origin(error)) is not None:
        error = origin
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _pauses() -> Iterator[float]:
    pause = FIRST_PAUSE
    while True:
        yield pause
        pause = min(LONGEST_PAUSE, 2 * pause)
