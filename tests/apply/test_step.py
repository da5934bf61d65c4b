"""A step's temporary files lie in its own folder: nothing is left elsewhere when it is killed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from recommender.apply.step import prepare
from recommender.ports import Prepared, PrepareJob


class _Careless:
    """Leaves a file where temporary ones go, and says where that is."""

    name = "careless"

    def prepare(self, job: PrepareJob, say: Callable[[str], None]) -> Prepared:
        (job.out / "model.bin").write_bytes(b"weights")
        with tempfile.NamedTemporaryFile(delete=False) as left:
            return Prepared(artifact="model.bin", facts={"left": left.name, "environment": os.environ["TMPDIR"]})


PREPARER = _Careless()


def test_temporary_files_of_a_step_lie_in_its_folder(tmp_path: Path) -> None:
    before = dict(os.environ), tempfile.gettempdir()
    made = prepare(
        preparer=f"{__name__}:PREPARER", source=str(tmp_path / "source"), out=str(tmp_path), scheme={}, parameters={}, execution_provider="cpu", calibration=None, threads=1,
    )
    assert Path(made["facts"]["left"]).parent == Path(made["facts"]["environment"])
    assert Path(made["facts"]["left"]).parent.parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]
    assert (dict(os.environ), tempfile.gettempdir()) == before
