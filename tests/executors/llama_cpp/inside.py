"""What the tests run in child processes, where llama.cpp may be imported."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recommender.domain.errors import RecommenderError
from recommender.ports import PrepareJob

EXACT = {"n_threads": 2, "context": 512, "kv_cache_type": "f32", "flash_attention": False}  # the cache in full precision


def attempt(function: Any, *arguments: Any) -> dict[str, Any]:
    """The class and words of the error that it ends with; empty when it does not."""
    try:
        function(*arguments)
    except RecommenderError as error:
        return {"error": type(error).__name__, "message": error.message, "hints": list(error.hints)}
    return {}


def convert(source: Path, out: Path, key: str) -> Mapping[str, Any]:
    from recommender.executors.llama_cpp.convert import PREPARER

    out.mkdir(parents=True, exist_ok=True)
    return PREPARER.prepare(PrepareJob(source=source, out=out, scheme={"key": key}), lambda line: None).facts


def quantize(source: Path, out: Path, scheme: Mapping[str, Any], **job: Any) -> Mapping[str, Any]:
    from recommender.executors.llama_cpp.quantize import PREPARER

    out.mkdir(parents=True, exist_ok=True)
    return PREPARER.prepare(PrepareJob(source=source, out=out, scheme=scheme, threads=2, **job), lambda line: None).facts


def log_probabilities(artifact: Path, tokens: list[int]) -> Any:
    from recommender.executors.llama_cpp.executor import RUNNER

    # LongRoPE goes by the size of the context, not of the text: no larger than the original one (256) where the reference is short.
    session = RUNNER.open(artifact, {**EXACT, "context": max(256, len(tokens))})
    try:
        return log_softmax(session.logits(tokens))
    finally:
        session.close()


def log_softmax(logits: Any) -> Any:
    import numpy as np

    shifted = logits.astype(np.float64) - logits.max(-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))


def agreement(reference: Any, other: Any) -> dict[str, float]:
    """Mean Kullback-Leibler divergence in nats and share of equal likeliest tokens."""
    import numpy as np

    divergence = (np.exp(reference) * (reference - other)).sum(-1).mean()
    return {"kl": float(divergence), "top1": float((reference.argmax(-1) == other.argmax(-1)).mean())}


def parity(models: str, out: str) -> dict[str, Any]:
    """Every model converted to F32 and run, against the logits of the framework it comes from."""
    import numpy as np

    tokens = np.load(Path(models, "tokens.npy")).tolist()
    found = {}
    for folder in sorted(path for path in Path(models).iterdir() if path.is_dir()):
        target = Path(out, folder.name)
        facts = convert(folder, target, "F32")
        reference = log_softmax(np.load(folder / "logits.npy"))
        found[folder.name] = {**agreement(reference, log_probabilities(target / "model.gguf", tokens)), "facts": dict(facts)}
    return found


def precisions(model: str, out: str) -> dict[str, Any]:
    """One model kept as stored and in each precision, against its own logits."""
    import numpy as np

    tokens = np.load(Path(model).parent / "tokens.npy").tolist()
    reference = log_softmax(np.load(Path(model, "logits.npy")))
    found = {}
    for key in ("Q4_K_M", "F32", "F16", "BF16"):
        facts = convert(Path(model), Path(out, key), key)
        found[key] = {**agreement(reference, log_probabilities(Path(out, key, "model.gguf"), tokens)), "types": facts["tensor_types"]}
    return found


def tokenizers(folder: str, model: str, out: str) -> dict[str, Any]:
    """Each tokenizer on the body of one model: what it was recognised as, ids, and text made of them again."""
    from recommender.executors.llama_cpp.binding import detokenize
    from recommender.executors.llama_cpp.executor import RUNNER

    found = {}
    for each in sorted(Path(folder).iterdir()):
        whole = Path(out, each.name, "source")
        shutil.copytree(model, whole)
        (whole / "tokenizer.json").unlink()
        for path in each.iterdir():
            shutil.copy(path, whole)
        facts = convert(whole, Path(out, each.name, "gguf"), "F32")
        session = RUNNER.open(Path(out, each.name, "gguf", "model.gguf"), EXACT)
        told = json.loads((each / "expected.json").read_text("utf-8"))
        ids = [session.tokenize(row["text"]) for row in told]
        found[each.name] = {
            "facts": dict(facts), "ids": ids, "expected": [row["ids"] for row in told], "texts": [row["text"] for row in told],
            "again": [detokenize(session._vocabulary, row["ids"]) for row in told],
        }
        session.close()
    return found


def levels(model: str, texts: dict[str, str], schemes: list[dict[str, Any]], out: str) -> dict[str, Any]:
    """Every level from one F32 file, with an importance matrix where the level wants one; and what is refused."""
    from recommender.executors.llama_cpp.executor import RUNNER

    source = Path(out, "F32", "model.gguf")
    convert(Path(model), source.parent, "F32")
    session = RUNNER.open(source, EXACT)
    tokens = session.tokenize(Path(texts["test"]).read_text("utf-8"))[:512]
    session.close()
    reference = log_probabilities(source, tokens)
    matrix = Path(out, "importance.gguf")
    importance = collect(source, Path(texts["calibration"]))
    write_gguf_matrix(matrix, importance)
    found: dict[str, Any] = {}
    for scheme in schemes:
        target = Path(out, scheme["key"])
        given = {"parameters": {"imatrix": str(matrix)}} if scheme["needs_calibration"] == "required" else {}
        facts = quantize(source, target, scheme, **given)
        found[scheme["key"]] = {**agreement(reference, log_probabilities(target / "model.gguf", tokens)), "facts": dict(facts)}
    return {"levels": found, "file": str(source), "matrix": str(matrix), "first layer": first_layer(Path(model), importance, source, Path(texts["calibration"]))}


def first_layer(model: Path, importance: Any, source: Path, text: Path) -> float:
    """Largest relative difference of what enters q, k and v of layer 0 from the normalised embedding of the tokens, computed by hand."""
    import numpy as np

    from recommender.executors.llama_cpp.checkpoint import open_checkpoint
    from recommender.executors.llama_cpp.executor import RUNNER

    session = RUNNER.open(source, EXACT)
    tokens = session.tokenize(text.read_text("utf-8"))[:1024]
    session.close()
    weights = open_checkpoint(model)
    rows = weights.tensors["model.embed_tokens.weight"].read()[tokens].astype(np.float64)
    normalised = rows / np.sqrt(np.square(rows).mean(-1, keepdims=True) + weights.config["rms_norm_eps"])
    expected = np.square(normalised * weights.tensors["model.layers.0.input_layernorm.weight"].read()).mean(0)
    return max(float(abs(importance[f"blk.0.attn_{which}.weight"] / expected - 1).max()) for which in "qkv")


def collect(source: Path, text: Path) -> Any:
    from recommender.executors.llama_cpp.imatrix import collect_importance

    return collect_importance(source, text.read_text("utf-8"), 2, chunks=2)


def write_gguf_matrix(path: Path, importance: Mapping[str, Any], count: int = 7) -> None:
    import gguf
    import numpy as np

    writer = gguf.GGUFWriter(path, "")
    writer.add_type("imatrix")
    for name, values in importance.items():
        writer.add_tensor(f"{name}.in_sum2", (values * count).astype(np.float32).reshape(1, -1))
        writer.add_tensor(f"{name}.counts", np.full((1, 1), count, np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def refusals(file: str, quantized: str, narrow: str, calibration: str, out: str) -> dict[str, Any]:
    """`file`: F32, `quantized`: Q4_0 of it, `narrow`: a folder with a model whose rows are mostly no multiple of 256."""
    target = Path(out)
    short = target / "short.txt"
    short.write_text("too short", "utf-8")
    broken = target / "broken.gguf"
    broken.write_bytes(Path(file).read_bytes()[:100_000])

    def run(source: str | Path, key: str, **job: Any) -> dict[str, Any]:
        told = attempt(lambda: quantize(Path(source), target, {"key": key, "needs_calibration": "required"}, **job))
        return {**told, "left": (target / "model.gguf").exists()}

    found = {
        "no matrix": run(file, "IQ2_XXS"), "short text": run(file, "IQ2_XXS", calibration=short), "not a matrix": run(file, "Q4_0", parameters={"imatrix": calibration}),
        "the same level": run(quantized, "Q4_0"), "requantize": run(quantized, "Q3_K_S"), "unknown": run(file, "Q9_Z"), "dense": run(file, "MXFP4"),
        "broken": run(broken, "Q4_0"),
    }  # fmt: skip
    convert(Path(narrow), target / "narrow", "F32")
    return {"refused": found, "narrow": dict(quantize(target / "narrow", target, {"key": "Q4_K_M"}))}


def matrices(file: str, out: str) -> dict[str, Any]:
    """The same matrix read from both forms of file."""
    import struct

    from recommender.executors.llama_cpp.imatrix import read_importance

    told = read_importance(Path(file))
    entries = b"".join(
        struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", 3, values.size) + (values * 3).tobytes() for name, values in told.items()
    )
    old = Path(out)
    old.write_bytes(struct.pack("<i", len(told)) + entries)
    again = read_importance(old)
    return {"names": sorted(told), "largest difference": max(abs(told[name] / again[name] - 1).max().item() for name in again), "same names": told.keys() == again.keys()}


def session(artifact: str, text: str) -> dict[str, Any]:
    """All that a session promises, of one model."""
    from recommender.executors.llama_cpp.executor import RUNNER

    model = RUNNER.open(Path(artifact), EXACT)
    prompt = model.tokenize(text)[:40]
    ticks: list[int] = []
    first = model.generate(prompt, 24, lambda: ticks.append(1))
    whole = model.logits(prompt + first[:-1])
    again = model.logits(prompt + first[:-1])
    long = model.tokenize(text)[:300]  # more than one portion of rows
    found = {
        "n_vocab": model.n_vocab, "prompt": prompt, "first": first, "ticks": len(ticks), "second": model.generate(prompt, 24, lambda: None),
        "forced": whole.argmax(-1)[len(prompt) - 1 :].tolist(), "repeats": bool((whole == again).all()), "dtype": str(whole.dtype), "shape": list(whole.shape),
        "long": list(model.logits(long).shape), "prefix": float(abs(model.logits(long)[: len(prompt)] - whole[: len(prompt)]).max()),
        "one": len(model.generate(prompt, 1, lambda: None)), "completed": model.complete("The", 8), "again": model.complete("The", 8), "facts": dict(model.facts),
        "empty": attempt(model.generate, [], 4, print), "too long": attempt(model.generate, prompt, 600, print), "outside": attempt(model.logits, [model.n_vocab]),
    }  # fmt: skip
    model.close()
    return found


def options(artifact: str, text: str) -> dict[str, Any]:
    """Facts and logits by run option, and options that are refused."""
    import numpy as np

    from recommender.executors.llama_cpp.binding import binding
    from recommender.executors.llama_cpp.executor import RUNNER

    def facts(**chosen: Any) -> dict[str, Any]:
        model = RUNNER.open(Path(artifact), {"n_threads": 2, "context": 512, **chosen})
        tokens = model.tokenize(text)[:200]
        told = {**model.facts, "logits": model.logits(tokens)}
        model.close()
        return told

    variants = {
        "shipped": facts(), "q8_0": facts(kv_cache_type="q8_0"), "q4_0": facts(kv_cache_type="q4_0"), "no flash": facts(flash_attention=False),
        "flash": facts(flash_attention=True), "micro batch": facts(micro_batch=32), "one thread": facts(n_threads=1), "read": facts(mmap=False),
        "not repacked": facts(repack=False), "larger": facts(context=1024),
    }  # fmt: skip
    base = log_softmax(variants["shipped"]["logits"])
    told = {name: {**{k: v for k, v in each.items() if k != "logits"}, **agreement(base, log_softmax(each["logits"]))} for name, each in variants.items()}
    refused = {
        "cache type": attempt(lambda: facts(kv_cache_type="q2_k")), "cache without flash": attempt(lambda: facts(kv_cache_type="q8_0", flash_attention=False)),
        "card": attempt(lambda: facts(n_gpu_layers="all")), "finite": bool(np.isfinite(base).all()),
    }  # fmt: skip
    return {"facts": told, "refused": refused, "cards": bool(binding().llama_supports_gpu_offload())}


def broken_files(artifact: str, out: str) -> dict[str, Any]:
    """How files that cannot be loaded are refused, and a cache that does not fit the memory."""
    import gguf

    from recommender.executors.llama_cpp.executor import RUNNER

    folder = Path(out)
    data = Path(artifact).read_bytes()
    (folder / "garbage.gguf").write_bytes(b"no GGUF at all " * 100)
    (folder / "cut.gguf").write_bytes(data[: len(data) // 2])
    writer = gguf.GGUFWriter(folder / "unknown.gguf", "nosuch")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    found = {name: attempt(RUNNER.open, folder / f"{name}.gguf", {}) for name in ("garbage", "cut", "unknown", "absent")}
    if sys.platform == "linux":
        limit_memory(1 << 30)
        found["memory"] = attempt(RUNNER.open, Path(artifact), {"context": 1 << 22})
    return found


def limit_memory(more: int) -> None:
    """Let this process take so many bytes of addresses and no more."""
    import resource

    used = int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))


def files(model: str, out: str) -> dict[str, str]:
    """F32 and two levels of one model."""
    source = Path(out, "F32", "model.gguf")
    convert(Path(model), source.parent, "F32")
    for key in ("Q8_0", "Q4_0"):
        quantize(source, Path(out, key), {"key": key})
    return {key: str(Path(out, key, "model.gguf")) for key in ("F32", "Q8_0", "Q4_0")}


def _proxy(model: Mapping[str, Any], level: str, n_layers: int, out: Path) -> Path:
    from recommender.executors.llama_cpp.shape_proxy import PROXY
    from recommender.ports import ProxyJob

    out.mkdir(parents=True)
    return out / PROXY.write(ProxyJob(model=model, scheme={"key": level}, n_layers=n_layers, out=out)).artifact


def proxy_beside_quantized(model: dict[str, Any], level: str, folder: str) -> dict[str, Any]:
    """Types by tensor of a proxy of all layers and of what the quantizer makes of the same shapes, and the sizes of both files."""
    from recommender.executors.llama_cpp.tensors import held_tensors

    plain = _proxy(model, "F16", model["n_layers"], Path(folder) / "plain")
    quantize(plain, Path(folder) / "quantized", {"key": level})
    files = (_proxy(model, level, model["n_layers"], Path(folder) / "proxy"), Path(folder) / "quantized" / "model.gguf")
    proxy, quantized = ({name: tensor.type for name, tensor in held_tensors(path).items()} for path in files)
    return {"proxy": proxy, "quantized": quantized, "sizes": [path.stat().st_size for path in files]}


def proxies_of_two_depths(model: dict[str, Any], level: str, folder: str) -> dict[str, Any]:
    """Proxies of two and four layers, the deeper one run: placement, tokens, logits; bytes of the tensors."""
    import numpy as np

    from recommender.executors.llama_cpp.executor import RUNNER
    from recommender.executors.llama_cpp.tensors import held_tensors

    paths = [_proxy(model, level, n, Path(folder) / str(n)) for n in (2, 4)]
    held = [held_tensors(path) for path in paths]
    session = RUNNER.open(paths[1], {"n_threads": 1, "context": 128})
    try:
        return {
            "layers": [len({name.split(".")[1] for name in tensors if name.startswith("blk.")}) for tensors in held], "n_vocab": session.n_vocab,
            "tokens": session.generate([1, 2, 3], 4, lambda: None), "is_finite": bool(np.isfinite(session.logits([4, 5, 6])).all()),
            "refused": attempt(session.tokenize, "text"), "left": sorted(path.name for path in paths[1].parent.iterdir()),
            "bytes": [sum(tensor.size for tensor in tensors.values()) for tensors in held],
            "bytes_without_layers": sum(tensor.size for name, tensor in held[0].items() if not name.startswith("blk.")),
        }
    finally:
        session.close()
