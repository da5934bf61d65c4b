"""The program that a child process runs: one function of an executor or of the harness, in whatever interpreter has the framework.

    python -P child.py JOB_FOLDER

`job.json` = {"function": "package.module:attribute[.method]", "arguments": {...}, "packages": {"package": "its folder"}}. The answer is written as a
whole to `result.json`: {"outcome": "ok", "value": ...} or {"outcome": one of measurement.FAILURES, "message", "hints"}. Packages are loaded from
their folders without putting what lies beside them on the path: another environment's frameworks must not leak in. When the parent is killed,
the child ends itself with all it started: nothing goes on computing for nobody.
"""

import importlib
import importlib.util
import json
import os
import signal
import sys
import threading
import time
import traceback


def load_package(name: str, folder: str) -> None:
    """Import a package by its folder alone; nothing beside it becomes importable."""
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder])
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def run(folder: str) -> None:
    """Run the job in the folder and write its result."""
    with open(os.path.join(folder, "job.json"), encoding="utf-8") as stream:
        job = json.load(stream)
    _end_with(job["parent"])
    for name, where in job["packages"].items():
        load_package(name, where)
    result = outcome_of(job)
    partial = os.path.join(folder, "result.json.partial")
    with open(partial, "w", encoding="utf-8") as stream:
        json.dump(result, stream)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(partial, os.path.join(folder, "result.json"))


def _end_with(parent: int) -> None:
    """Watch for the parent's end (POSIX: an orphan gets another parent)."""
    if sys.platform == "win32":
        return

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1.0)
        os.killpg(os.getpgrp(), signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()


def outcome_of(job: dict) -> dict:  # type: ignore[type-arg]
    """Call the job's function: its value, or the class of what it raised."""
    from recommender.domain.errors import DeviceLost, RecommenderError, StepFailed

    try:
        module, _, path = job["function"].partition(":")
        function = importlib.import_module(module)
        for name in path.split("."):
            function = getattr(function, name)
        return {"outcome": "ok", "value": function(**job["arguments"])}  # type: ignore[operator]
    except StepFailed as error:
        return {"outcome": error.kind, "message": error.message, "hints": error.hints}
    except DeviceLost as error:
        return {"outcome": "lost", "message": error.message, "hints": error.hints}
    except MemoryError as error:
        return {"outcome": "out-of-memory", "message": f"out of memory: {error}".rstrip(": "), "hints": []}
    except RecommenderError as error:
        return {"outcome": "unsupported", "message": error.message, "hints": error.hints}
    except Exception as error:  # noqa: BLE001  a fault of a framework or of ours: it has a class too
        traceback.print_exc()
        return {"outcome": "tool-bug", "message": f"{type(error).__name__}: {error}"[:1000], "hints": []}


if __name__ == "__main__":
    run(sys.argv[1])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # frameworks that crash while they are torn down have already answered
