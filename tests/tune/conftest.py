"""Storages of every kind, each opened once a session; tests use studies of their own."""

from __future__ import annotations

import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

_PROXY = """
import sys
from optuna.storages import run_grpc_proxy_server
from recommender.tune.backends import storage_of
run_grpc_proxy_server(storage_of(sys.argv[1]), host="127.0.0.1", port=int(sys.argv[2]))
"""
KINDS = ("journal", "sqlite", "postgresql", "grpc-sqlite", "grpc-journal")


@pytest.fixture(scope="session", params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a storage that is there."""
    folder = tmp_path_factory.mktemp("storage")
    files = {"journal": f"journal:{folder}/sweeps.log", "sqlite": f"sqlite:///{folder}/sweeps.db"}
    proxy, _, behind = request.param.partition("-")
    if proxy == "grpc":
        with served(files[behind]) as found:
            yield found
    elif request.param == "postgresql":
        yield request.getfixturevalue("new_database")()
    else:
        yield files[request.param]


class served:
    """Optuna's gRPC proxy before a storage, in a child process: its URL."""

    def __init__(self, behind: str):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self._url = f"grpc://127.0.0.1:{port}"
        self._process = subprocess.Popen([sys.executable, "-c", _PROXY, behind, str(port)], stderr=subprocess.DEVNULL, cwd=Path(__file__).parents[2])

    def __enter__(self) -> str:
        from recommender.tune.backends import storage_of

        try:
            storage_of(self._url).wait_server_ready(timeout=60)
        except BaseException:
            self.__exit__()
            raise
        return self._url

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def study() -> str:
    return f"{uuid.uuid4().hex[:8]}/class"
