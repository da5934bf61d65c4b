"""What every probe must do. Subclass `ProbeSuite`, name your module in `probe`, and inherit the tests.

    from recommender.testing.probe import ProbeSuite
    import my_probe

    class TestMyProbe(ProbeSuite):
        probe = my_probe
"""

from __future__ import annotations

import re
from typing import Any, ClassVar

from recommender.domain.fingerprint import DEVICE_KINDS, Observation
from recommender.intake.host import RecordedHost
from recommender.intake.run import run_probes
from recommender.ports import PROBE_API, Completed, HostAccess, Platform

JUNK = ("", "\x00\xff" * 40, "[" * 5000, "{}", "[]", "null", "<a>", "=" * 300, "key: value\n" * 50, "N/A", "1e999 -1 0x", "\ufeff\r\n\r\n")


class JunkHost:
    """Answers everything with the same text, as a broken machine might."""

    is_live = False

    def __init__(self, text: str, system: str | None):
        self._text, self._system = text, system

    def platform(self) -> Platform:
        return Platform(os=self._system, architecture=None)

    def read_text(self, path: str) -> str | None:
        return self._text

    def list_dir(self, path: str) -> tuple[str, ...]:
        return ("0", "card0", "cpu0", self._text[:20] or "x") if path.count("/") < 8 else ()

    def exists(self, path: str) -> bool:
        return True

    def read_link(self, path: str) -> str | None:
        return self._text

    def run(self, argv: Any, timeout: float = 5.0) -> Completed:
        return Completed(stdout=self._text)

    def python(self, question: str) -> Any:
        return self._text


class ProbeSuite:
    """Tests of one probe, by its promises in `recommender.ports.Probe`."""

    probe: ClassVar[Any]

    def _systems(self) -> tuple[str | None, ...]:
        return self.probe.platforms or ("linux", None)

    def _outcome(self, host: HostAccess) -> tuple[Observation | None, str, str]:
        [(observation, outcome)] = run_probes([self.probe], host)
        return observation, outcome.status, outcome.reason

    def test_declares_itself(self) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", self.probe.name)
        assert self.probe.api == PROBE_API
        assert isinstance(self.probe.volatile, bool)
        assert all(isinstance(name, str) for name in self.probe.platforms)

    def test_an_empty_machine_is_absent_and_gives_no_device(self) -> None:
        for system in self._systems():
            observation, status, reason = self._outcome(RecordedHost({"os": system}))
            assert status in ("absent", "ok"), reason
            assert observation is None or observation.devices == ()

    def test_junk_never_fails_it_and_invents_no_kind_of_device(self) -> None:
        for system in self._systems():
            for text in JUNK:
                observation, status, reason = self._outcome(JunkHost(text, system))
                assert status in ("absent", "ok"), f"{text[:20]!r}: {reason}"
                assert observation is None or all(device.kind in DEVICE_KINDS for device in observation.devices)

    def test_nothing_to_read_is_an_empty_observation(self) -> None:
        assert self.probe.parse({}) == Observation()
