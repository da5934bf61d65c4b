"""Recordings: scrubbed, replayable to the same fingerprint, and refused with the reason when they are broken."""

from __future__ import annotations

import importlib
import json
import pkgutil
from types import SimpleNamespace

import pytest

import probes as probe_package
from recommender.domain.errors import RecordingError
from recommender.domain.fingerprint import Fingerprint, Observation
from recommender.intake.document import fingerprint_to_document
from recommender.intake.host import RecordedHost
from recommender.intake.record import (
    MAX_RECORDING,
    RECORDING_SCHEMA,
    load_recording,
    observe_recording,
    record,
    scrubbed_recording,
)
from recommender.intake.run import observe
from recommender.intake.scrub import private_names, reduced, scrub, scrub_names
from recommender.intake.static_cache import live_host


def all_probes():
    modules = [importlib.import_module(f"probes.{found.name}") for found in pkgutil.iter_modules(probe_package.__path__)]
    return [module for module in modules if hasattr(module, "read") and hasattr(module, "parse")]


# --- scrubbing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "private", "kept"),
    [
        ("Serial\t\t: 10000000abcdef01\nModel\t\t: Some Board", ["10000000abcdef01"], ["Model\t\t: Some Board"]),
        (
            "<serial>1322</serial><uuid>GPU-3b1bc5f6-1111-2222-3333-123456789abc</uuid>",
            ["1322", "3b1bc5f6"],
            ["<serial>", "</uuid>"],
        ),
        ("GPU 0: Card (UUID: GPU-3b1bc5f6-1111-2222-3333-123456789abc)", ["3b1bc5f6"], ["GPU 0: Card (UUID: ", ")"]),
        ("[ro.serialno]: [R58N1]\n[ro.boot.serialno]: [R58N2]\n[ro.soc.model]: [SM8750]", ["R58N"], ["[ro.soc.model]: [SM8750]"]),
        ("[gsm.operator.alpha]: [Acme]\n[persist.sys.timezone]: [Europe/X]", ["Acme", "Europe"], ["[gsm.operator.alpha]"]),
        ('{"SerialNumber":"AB12","n": 5, "serial_number" : 77}', ["AB12", "77"], ['"n": 5']),
        (
            "Hardware UUID: AAAAAAAA-1234-1234-1234-123456789ABC\nSerial Number (system): C02ABC\n  Chip: M9",
            ["C02ABC", "AAAAAAAA"],
            ["Chip: M9"],
        ),
        ("kern.hostname: jans-mac.local\nhw.memsize: 17179869184", ["jans-mac"], ["17179869184"]),
        ("ether 00:1a:2b:3c:4d:5e at 0000:01:00.0 [8086:9a49]", ["00:1a:2b"], ["0000:01:00.0", "8086:9a49"]),
        ("inet 203.0.113.7 via 192.168.1.1, fe80::1a2b:3c4d:5e6f:7a8b", ["203.0.113.7", "192.168", "1a2b"], ["inet "]),
        ("DriverVersion: 31.0.101.45, tool 23.0.5.1 Version: 23.0.5.1", [], ["31.0.101.45", "tool 23.0.5.1"]),
        ("C:\\Users\\jan\\x /home/jan/y /Users/jan/z", ["jan"], ["/home/", "\\x", "/y"]),
        ("USB\\VID_1A6E&PID_089A\\0123SER and PCI\\VEN_10DE&DEV_2684", ["0123SER"], ["VID_1A6E&PID_089A", "VEN_10DE&DEV_2684"]),
        ("{4d36e968-e325-11ce-bfc1-08002be10318}\\0001", [], ["{4d36e968-e325-11ce-bfc1-08002be10318}\\0001"]),
        ('"machine_name" : "MacBook Pro"', [], ["MacBook Pro"]),
        ("<process_name>/opt/secret/job</process_name>", ["secret"], []),
        ("0::/kubepods/pod1c2d3e4f_aaaa_bbbb_cccc_123456789abc.slice", ["1c2d3e4f"], ["0::/kubepods/pod"]),
    ],
)
def test_what_is_private_goes_and_what_is_not_stays(text, private, kept):
    found = scrub(text)
    assert not [word for word in private if word in found]
    assert all(word in found for word in kept)


def test_scrubbing_twice_changes_nothing_more():
    text = "Serial: abc\n10.1.2.3 /home/x/y"
    assert scrub(scrub(text)) == scrub(text)


def test_names_are_taken_out_as_whole_words_only():
    assert scrub_names("rocky at rocky: rockyroad radxa,rocky", ["rocky"]) == "SCRUBBED at SCRUBBED: rockyroad radxa,rocky"


def test_a_name_that_is_also_a_product_or_a_driver_is_left():
    taken = {"files": {"/proc/device-tree/compatible": "acme,board"}, "links": {"/sys/x/driver": "../../drivers/zeta"}}
    assert private_names(["acme", "zeta", "jan"], taken) == ("jan",)


def test_of_the_first_process_only_the_container_manager_is_kept():
    assert reduced("/proc/1/environ", "TOKEN=secret\0container=podman\0") == "container=podman"
    assert reduced("/proc/self/status", "Name:\tsecret\nCpus_allowed_list:\t0-3\n") == "Cpus_allowed_list:\t0-3\n"
    assert "secret" not in reduced("/proc/self/mountinfo", "9 1 0:1 / /mnt/secret rw - nfs srv rw\n")


def reader(paths, parse=None, platforms=()):
    def read(host):
        return {path: host.read_text(path) for path in paths}

    return SimpleNamespace(
        name="reader", api=1, volatile=False, platforms=platforms, read=read, parse=parse or (lambda raw: Observation(host=raw))
    )


def test_a_path_that_is_read_from_a_scrubbed_text_is_still_found():
    """A control group is named in one file and asked for in the next: both must be scrubbed alike."""
    group = "/docker/1c2d3e4f-aaaa-bbbb-cccc-123456789abc"
    files = {"/proc/self/cgroup": f"0::{group}\n", f"/sys/fs/cgroup{group}/cpu.max": "100000 100000"}

    def read(host):
        place = (host.read_text("/proc/self/cgroup") or "").strip().partition("::")[2]
        return {"quota": host.read_text(f"/sys/fs/cgroup{place}/cpu.max")}

    probe = SimpleNamespace(name="g", api=1, volatile=True, platforms=(), read=read, parse=lambda raw: Observation(host=raw))
    document = record(RecordedHost({"os": "linux", "files": files}), [probe])
    assert "1c2d3e4f" not in json.dumps(document)
    assert observe(RecordedHost(document), [probe]).machine == {"quota": "100000 100000"}


def test_the_recording_has_the_agreed_keys():
    document = record(RecordedHost({"os": "linux", "architecture": "x86_64", "files": {"/a": "text"}}), [reader(["/a", "/b"])])
    assert set(document) == {
        "recording_schema", "recorder", "os", "architecture", "files", "links", "dirs", "commands", "python", "microbenchmark",
    }  # fmt: skip
    assert document["files"] == {"/a": "text"} and (document["os"], document["architecture"]) == ("linux", "x86_64")


def test_a_command_keeps_its_name_so_that_it_can_be_replayed():
    argv = "powershell {AAAAAAAA-1234-1234-1234-123456789ABC}"
    taken = {
        "files": {},
        "links": {},
        "dirs": {},
        "python": {},
        "commands": {argv: {"stdout": "Serial: x", "stderr": "", "returncode": 0}},
    }
    document = scrubbed_recording(taken, system="windows", architecture=None)
    assert document["commands"] == {argv: {"stdout": "Serial: SCRUBBED", "stderr": "", "returncode": 0}}


# --- the whole way ---------------------------------------------------------------------------------------------------


def test_a_recording_of_this_machine_replays_to_the_same_fingerprint(tmp_path):
    probes = all_probes()
    assert probes
    host = live_host(probes)
    live = observe(host, probes)
    path = tmp_path / "this.json"
    path.write_text(json.dumps(record(host, probes)))
    replayed = observe_recording(path, probes)
    assert replayed.digest == live.digest
    assert replayed.devices and [d.kind for d in replayed.devices] == [d.kind for d in live.devices]
    assert replayed.frameworks == live.frameworks


def test_a_replay_does_not_look_at_this_machine():
    empty = observe(RecordedHost({"recording_schema": 1, "os": None, "architecture": None}), all_probes())
    assert (empty.os, empty.architecture, empty.devices, empty.frameworks, empty.memory.total) == ({}, None, (), (), None)


def test_a_probe_document_is_taken_as_it_is(tmp_path):
    path = tmp_path / "probe.json"
    path.write_text(
        '\ufeff{"schema_version": 1, "os": {"name": "linux"}, "devices": [{"kind": "npu", "vendor": "hailo"}]}', "utf-8"
    )
    found = load_recording(path)
    assert isinstance(found, Fingerprint) and found.devices[0].vendor == "hailo"
    path.write_text(json.dumps(fingerprint_to_document(found)))
    assert observe_recording(path) == found


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not JSON"),
        (b"not json", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 200_000, "nested too deeply"),
        (b'{"a":' * 200_000, "nested too deeply"),
        (b"[1, 2]", "list"),
        (b"{}", "recording_schema"),
        (b'{"recording_schema": "1"}', "recording_schema"),
        (b'{"recording_schema": true}', "recording_schema"),
        (b'{"recording_schema": 99}', "99 is newer than 1"),
        (b'{"recording_schema": 1, "os": 5}', "`os`"),
        (b'{"recording_schema": 1, "files": []}', "`files`"),
        (b'{"recording_schema": 1, "files": {"/a": 5}}', "/a"),
        (b'{"recording_schema": 1, "links": {"/a": null}}', "/a"),
        (b'{"recording_schema": 1, "dirs": {"/a": [1]}}', "/a"),
        (b'{"recording_schema": 1, "commands": {"tool -x": "text"}}', "tool -x"),
        (b'{"recording_schema": 1, "commands": {"tool -x": {"stdout": 5}}}', "tool -x"),
        (b'{"devices": [{"kind": "toaster"}]}', "devices[0].kind"),
        (b'{"schema_version": 5, "devices": []}', "5 is newer"),
    ],
)
def test_a_broken_recording_is_refused_by_name_and_reason(tmp_path, content, words):
    path = tmp_path / "my phone.json"
    path.write_bytes(content)
    with pytest.raises(RecordingError) as caught:
        load_recording(path)
    assert "my phone.json" in caught.value.message and words in caught.value.message
    assert caught.value.exit_code == 2


def test_a_file_too_large_is_not_read_to_its_end(tmp_path):
    path = tmp_path / "large.json"
    with path.open("wb") as stream:
        stream.truncate(MAX_RECORDING + 1)
    with pytest.raises(RecordingError, match="64 MiB"):
        load_recording(path)


@pytest.mark.parametrize("name", ["missing.json", "."])
def test_what_cannot_be_read_is_told(tmp_path, name):
    with pytest.raises(RecordingError, match="cannot be read"):
        load_recording(tmp_path / name)


def test_parts_may_be_missing_and_unknown_ones_are_passed_over(tmp_path):
    path = tmp_path / "short.json"
    path.write_text(json.dumps({"recording_schema": RECORDING_SCHEMA, "files": None, "note": "x"}))
    host = load_recording(path)
    assert isinstance(host, RecordedHost) and host.read_text("/proc/cpuinfo") is None
