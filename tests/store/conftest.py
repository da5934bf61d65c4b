"""A real PostgreSQL server of the session, and an empty database of it for each test."""

from __future__ import annotations

import itertools
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from recommender.store.database import PostgreSQL

PASSWORD = "s3cret%2Fpart"  # as it stands in the URL: `s3cret/part`
_USER = "measurer"


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    """URL of a server without the name of a database. Skipped where PostgreSQL is not installed, except in CI."""
    programs = _programs()
    if programs is None:
        assert not os.environ.get("RECOMMEND_CI"), "PostgreSQL is not installed"
        pytest.skip("PostgreSQL (initdb, pg_ctl) is not installed")
    folder = Path(tempfile.mkdtemp(prefix="recommend-pg-"))  # below a folder that another user may enter; a socket's path must be short
    account = _account()
    if account:
        shutil.chown(folder, account)

    def run(*words: str) -> None:
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, user=account, cwd=folder, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    (folder / "password").write_text("s3cret/part\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, log = str(folder / "data"), str(folder / "log")
    run(str(programs / "initdb"), "-D", data, "-U", _USER, "-A", "scram-sha-256", "--pwfile", str(folder / "password"), "--no-sync", "-E", "UTF8", "--locale", "C")
    settings = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={folder} -c fsync=off -c full_page_writes=off"
    run(str(programs / "pg_ctl"), "-D", data, "-l", log, "-w", "-o", settings, "start")
    try:
        yield f"postgresql://{_USER}:{PASSWORD}@127.0.0.1:{port}"
    finally:
        run(str(programs / "pg_ctl"), "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


def _programs() -> Path | None:
    found = [Path(path).parent for path in (shutil.which("pg_ctl"),) if path]
    return next((folder for folder in [*found, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)] if (folder / "initdb").exists()), None)


def _account() -> str | None:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    import pwd

    names = {row.pw_name for row in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


@pytest.fixture(scope="session")
def new_database(server: str) -> Callable[[], str]:
    """Makes an empty database, gives its URL."""
    import psycopg

    numbers = itertools.count()

    def make() -> str:
        name = f"store{next(numbers)}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
        return f"{server}/{name}"

    return make


@pytest.fixture
def postgresql(new_database: Callable[[], str]) -> PostgreSQL:
    return PostgreSQL(new_database())
