"""`recommend probe`: observe this machine or another machine's file tree; write a recording."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from recommender.cli import print_json, say
from recommender.domain.errors import UsageError


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--sysroot", metavar="DIR", help="Read another machine's /proc and /sys below DIR.")
@click.option("--record", "record_to", metavar="FILE", help="Write a scrubbed, portable recording (--target FILE decides for it anywhere).")
@click.option("--target", "-t", "recording", metavar="FILE", help="Show what a recording tells.")
@click.option("--refresh", is_flag=True, help="Ask everything again instead of using what is cached.")
@click.option("--no-microbenchmark", is_flag=True, help="Do not measure bandwidth and arithmetic.")
@click.option("--json", "as_json", is_flag=True, help="The probe document.")
def probe(sysroot: str | None, record_to: str | None, recording: str | None, refresh: bool, no_microbenchmark: bool, as_json: bool) -> int:
    """Observe: processor, memory, container limits, GPUs, NPUs, boards, frameworks; each probe says how it ended."""
    from recommender.compose import observe_path, observe_this_machine
    from recommender.intake.document import fingerprint_to_document

    if sysroot and recording:
        raise UsageError("--sysroot and --target exclude each other")
    if record_to and not (sysroot or recording):
        return _record(record_to, not no_microbenchmark, as_json)
    if record_to:
        raise UsageError("--record writes this machine's recording; it goes with neither --sysroot nor --target")
    if sysroot or recording:
        path = Path(sysroot or recording or "")
        if not path.exists():
            raise UsageError(f"no {'folder' if sysroot else 'file'} `{path}`", hints=("recommend probe --record machine.json",))
        fingerprint = observe_path(path)
    else:
        fingerprint = observe_this_machine(say, refresh=refresh, with_microbenchmark=not no_microbenchmark)
    document = fingerprint_to_document(fingerprint)
    if as_json:
        print_json(document)
    else:
        click.echo("\n".join(_lines(document)))
    return 0


def _record(record_to: str, with_microbenchmark: bool, as_json: bool) -> int:
    from recommender.compose import observe_this_machine
    from recommender.intake.record import record
    from recommender.intake.run import load_probes
    from recommender.intake.static_cache import live_host

    path = Path(record_to)
    if not path.name or path.is_dir():
        raise UsageError(f"--record `{record_to}` is a folder, not a file", hints=("recommend probe --record machine.json",))
    say("observing this machine ...")
    fingerprint = observe_this_machine(say, with_microbenchmark=with_microbenchmark)
    probes = load_probes()
    found = record(live_host(probes), probes, microbenchmark=fingerprint.microbenchmark)
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n", "utf-8")
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UsageError(f"--record `{record_to}`: {error.strerror}") from None
    say(f"wrote {record_to}: {len(found['files'])} files, {len(found['commands'])} commands, private values scrubbed")
    if as_json:
        print_json({"recording": record_to, "files": len(found["files"]), "commands": len(found["commands"]), "digest": fingerprint.digest})
    return 0


def _lines(document: dict[str, Any]) -> list[str]:
    system, machine, memory = document["os"], document["machine"], document["memory"]
    lines = [
        f"System    {' '.join(str(part) for part in (system.get('name'), system.get('version')) if part) or 'unknown'}, {document['architecture'] or 'architecture unknown'}",
        f"Machine   {' '.join(str(machine[key]) for key in ('vendor', 'model') if machine.get(key)) or 'unknown'}"
        + "".join(f", {key} {machine[key]}" for key in ("class", "soc", "virtualization", "container") if machine.get(key)),
        f"Memory    {_size(memory.get('total'))} installed, {_size(memory.get('available'))} free" + (f", container limit {_size(memory['limit'])}" if memory.get("limit") else ""),
    ]
    for device in document["devices"]:
        lines.append(f"{device['id']:<9} {device.get('name') or 'unnamed'} ({device.get('vendor') or 'maker unknown'})")
        lines += [f"          {name}: {value}" for name, value in _details(device)]
    for row in document["frameworks"]:
        providers = ", ".join(row["execution_providers"]) if row.get("execution_providers") else "providers not asked"
        lines.append(f"Framework {row['framework']} {row['version']} ({providers})")
    if document.get("microbenchmark"):
        found = document["microbenchmark"]
        lines.append(f"Measured  {found['memory_bandwidth'] / 1e9:.3g} GB/s copy bandwidth, {found['fp32_ops'] / 1e9:.3g} GFLOP/s fp32, {found['threads']} threads")
    lines.append(f"Digest    {document['digest']}")
    lines.append("")
    for outcome in document["outcomes"]:
        reason = f": {outcome['reason']}" if outcome["reason"] else ""
        lines.append(f"  {outcome['status']:<8} {outcome['probe']:<20} {outcome['elapsed'] * 1e3:7.1f} ms{reason}")
    return lines


def _details(device: dict[str, Any]) -> list[tuple[str, str]]:
    found = []
    if device.get("cores"):
        found.append(("cores", ", ".join(f"{count} {name}" for name, count in device["cores"].items() if count is not None)))
    if device.get("features"):
        found.append(("features", " ".join(device["features"][:12]) + (f" and {len(device['features']) - 12} more" if len(device["features"]) > 12 else "")))
    memory = device.get("memory") or {}
    if memory.get("total"):
        found.append(("memory", f"{_size(memory['total'])} {memory.get('kind') or ''}".strip()))
    if device.get("driver"):
        found.append(("driver", f"{device['driver']} {device.get('driver_version') or ''}".strip()))
    return found


def _size(value: int | None) -> str:
    return "unknown" if value is None else f"{value / 2**30:.3g} GiB"
