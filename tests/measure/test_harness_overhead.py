from __future__ import annotations

from benchmarks.overhead import rows, table


def test_our_overhead_is_told_per_call_and_per_measurement() -> None:
    found = rows(0.1)
    assert [unit for *_, unit in found] == ["ns", "ns", "ns", "s", "s"]
    assert all(ours > 0 and bare > 0 for _, ours, bare, _ in found)
    assert all(ours > bare for _, ours, bare, unit in found if unit == "s")
    assert len(table(found).splitlines()) == 6
