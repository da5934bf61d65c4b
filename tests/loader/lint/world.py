"""A small world without faults, and what the lints say when something is laid over it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from recommender.loader import files, lint
from recommender.loader.lint import Finding
from tests.loader.overlay import layer

TODAY = "2026-11-24"
SOURCE = """\
[[source]]
id = "s"
title = "Data sheet"
url = "https://example.com"
kind = "vendor-specification"
retrieved = "2026-11-01"
"""
CPU = """\
[[device]]
key = "acme.a1.cpu"
kind = "cpu"
vendor = "acme"
name = "ACME A1"
family = "arm-cpu"
match = [{ soc = "A-1" }]
memory_kind = "unified"
precisions = ["fp32"]
source = "s"
[device.capability]
memory_bandwidth = { value = 30, unit = "GB/s", source = "s" }
"""
MACHINE = """\
[[machine]]
key = "acme-board"
name = "ACME Board"
class_ = "sbc"
os = "linux"
architecture = "aarch64"
devices = ["acme.a1.cpu"]
memory_options = ["4 GiB", "8 GiB"]
aliases = ["board one"]
source = "s"
"""
MODEL = """\
[[model]]
key = "tiny"
name = "Tiny"
task = "text-generation"
structure = "transformer"
n_params = 1_000_000
n_layers = 2
hidden_size = 128
n_heads = 4
ffn_size = 512
vocab_size = 3623
n_embedding_params = 463744
tied_embeddings = true
sources = ["s"]
"""
SCHEME = """\
[[scheme]]
key = "int4-weights-g64"
name = "int4"
formats = ["onnx"]
scope = "weight-only"
weight_bits = 4
bits_per_weight = 4.25
group_size = 64
class_ = "low"
tensors = { default = 4.25 }
sources = ["s"]
"""
FRAMEWORK = """\
[framework]
key = "onnxruntime"
name = "ONNX Runtime"
has_executor = true
install = "pip install onnxruntime"
os = ["linux"]
tasks = ["text-generation"]
sources = ["s"]
[framework.launch]
text-generation = "run {artifact}"
"""
SUPPORT = """\
[[support]]
id = "SUP-ORT"
execution_provider = "cpu"
format = "onnx"
schemes = ["int4-weights-g64"]
preparers = ["olive"]
because = "It runs."
sources = ["s"]
when = { "device.kind" = "cpu" }
"""
WORKLOAD = """\
[[workload]]
key = "chat"
name = "Chat"
tasks = ["text-generation"]
default_for = ["text-generation"]
objective = "decode_rate"
floor = ["decode_rate>=5 tok/s"]
sources = ["s"]
"""
TABLE = """\
[table]
id = "platform"
question = "Which?"
hit_policy = "collect"
scope = "device"
"""
RULE = """\
[[rule]]
id = "PLT001"
when = { "device.kind" = "cpu" }
then = { frameworks = ["onnxruntime"], place = 1 }
because = "It is a processor."
sources = ["chapter:S6.tree"]
"""
CRITERION = """\
[[criterion]]
id = "RNK010"
label = "objective"
measure = "objective"
sources = ["s"]
"""
PREPARER = '[[preparer]]\nkey = "olive"\naction = "quantize"\nwhere = "here"\nhas_own = false\nsources = ["s"]\n'
PORTABILITY = '[[portability]]\nformat = "onnx"\nexecution_provider = "*"\nvalue = "universal"\nsources = ["s"]\n'
BUDGET = '[[budget]]\nid = "BUD001"\nwhen = {}\nshare = 0.8\nreserve = "1 GiB"\nbecause = "b"\nsources = ["s"]\n'
CLAIM = """\
[[claim]]
id = "CLM001"
text = "Twice as fast."
about = { framework = "onnxruntime", against = "int4-weights-g64" }
metric = "throughput"
low = 2
high = 3
unit = "ratio"
sources = ["chapter:S3.claims"]
"""
EVIDENCE = "metric,value,model,framework,scheme,source,device\ndecode_rate,12,tiny,onnxruntime,int4-weights-g64,s,acme.a1.cpu\n"


def efficiency(id: str, phase: str, resource: str, when: str = "{}", share: str = "0.6") -> str:
    return (
        f'[[efficiency]]\nid = "{id}"\nphase = "{phase}"\nresource = "{resource}"\nwhen = {when}\nlow = 0.4\ncentral = {share}\n'
        'high = 0.8\nsources = ["s"]\n'
    )


CALIBRATION = "\n".join(
    efficiency(f"EFF00{number}", phase, resource)
    for number, (phase, resource) in enumerate(
        (p, r) for p in ("prefill", "decode", "inference") for r in ("compute", "memory-bandwidth")
    )
)
VOCABULARY = (
    (files.built_in_root() / "vocabulary.toml")
    .read_text("utf-8")
    .replace('models = ["llama-3.2-3b", "mobilenet-v2", "whisper-base", "all-minilm-l6-v2", "tabular-gbdt"]', 'models = ["tiny"]')
)
WORLD: Mapping[str, str] = {
    "vocabulary.toml": VOCABULARY,
    "sources/s.toml": SOURCE,
    "devices/a.toml": CPU,
    "machines/a.toml": MACHINE,
    "models/a.toml": MODEL,
    "quantization/a.toml": SCHEME,
    "frameworks/a.toml": FRAMEWORK + SUPPORT,
    "workloads/a.toml": WORKLOAD,
    "rules/a.toml": TABLE + RULE,
    "rules/ranking.toml": CRITERION,
    "preparers.toml": PREPARER,
    "portability.toml": PORTABILITY,
    "budgets/a.toml": BUDGET,
    "claims/a.toml": CLAIM,
    "evidence/a.csv": EVIDENCE,
    "calibration/a.toml": CALIBRATION,
}


def findings(root: Path, overlay: Mapping[str, str] | None = None, world: Mapping[str, str] | None = None) -> list[Finding]:
    """All findings of the world with an overlay, or with some of its files replaced."""
    base = layer(root / "world", {**WORLD, **(world or {})}, files.BUILT_IN)
    return lint.run((base, layer(root / "overlay", overlay)) if overlay else (base,), TODAY)


def said(found: list[Finding], name: str, level: str = "error") -> list[str]:
    """The messages of one lint."""
    return [finding.message for finding in found if finding.lint == name and finding.level == level]
