"""A real PostgreSQL server in a temporary folder: started, killed and started again at will."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

USER = "measurer"
PASSWORD = "s3cret%2Fpart"  # as it stands in the URL: `s3cret/part`
_SETTINGS = "-c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"  # a killed server loses nothing by it, a machine without power would
_ATTEMPTS = 20  # to start after a kill: the killed one's children leave a moment later


class Server:
    """`url`: without the name of a database."""

    def __init__(self, programs: Path):
        self._programs = programs
        self._folder = Path(tempfile.mkdtemp(prefix="recommend-pg-"))  # below a folder that another user may enter; a socket's path must be short
        self._account = _account()
        if self._account:
            shutil.chown(self._folder, self._account)
        password = self._folder / "password"
        password.write_text(PASSWORD.replace("%2F", "/") + "\n")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self._run("initdb", "-U", USER, "-A", "scram-sha-256", "--pwfile", str(password), "--no-sync", "-E", "UTF8", "--locale", "C")
        self.start()

    @property
    def url(self) -> str:
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self._port}"

    def database(self, name: str) -> str:
        """Make an empty database: its URL."""
        import psycopg

        with psycopg.connect(f"{self.url}/postgres", autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
        return f"{self.url}/{name}"

    def start(self) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self._run("pg_ctl", "-l", str(self._folder / "log"), "-w", "-o", f"{_SETTINGS} -c port={self._port} -c unix_socket_directories={self._folder}", "start")
            except RuntimeError:
                if attempt == _ATTEMPTS:
                    raise
                time.sleep(0.2)

    def kill(self) -> None:
        """SIGKILL to the server's first process; its children see that and leave."""
        os.kill(int((self._folder / "data" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    def close(self) -> None:
        """Stop it and remove its folder."""
        self._run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(self._folder)

    def _run(self, program: str, *words: str) -> None:
        command = [str(self._programs / program), "-D", str(self._folder / "data"), *words]
        output = self._folder / f"{program}.out"  # no pipe: the server would keep it open
        with output.open("w") as stream:
            done = subprocess.run(command, stdout=stream, stderr=subprocess.STDOUT, timeout=60, user=self._account, cwd=self._folder, check=False)
        if done.returncode:
            raise RuntimeError(output.read_text())


def programs() -> Path | None:
    """The folder of initdb and pg_ctl; None where PostgreSQL is not installed."""
    found = [Path(path).parent for path in (shutil.which("pg_ctl"),) if path]
    return next((folder for folder in [*found, *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)] if (folder / "initdb").exists()), None)


def _account() -> str | None:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    import pwd

    names = {row.pw_name for row in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"
