"""The graph of a decoder as the model builder of onnxruntime-genai makes it for processors: the same operators, names and initializers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from recommender.executors.decoder import EPSILON, ROTARY_BASE, Decoder
from recommender.executors.onnxruntime.external_data import ExternalData
from recommender.executors.random_weights import RandomWeights

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 22, 10
MICROSOFT = "com.microsoft"
_ACCURACY_LEVEL = 4  # products in 8 bit, as the builder asks for on processors


@dataclass(frozen=True, kw_only=True, slots=True)
class Precision:
    """Of matrices: bits 32 (floating point), or 4 or 8 in blocks of so many weights of a row, symmetric."""

    bits: int = 32
    block: int = 32


@dataclass(kw_only=True, slots=True)
class DecoderGraph:
    """Nodes as they are made; `model` gives the whole."""

    decoder: Decoder
    precision: Precision
    numbers: RandomWeights
    data: ExternalData
    _nodes: list[onnx.NodeProto] = field(default_factory=list)
    _constants: set[str] = field(default_factory=set)

    def model(self) -> onnx.ModelProto:
        """input_ids, attention_mask [batch, tokens] int64, past_key_values.N.key/value [batch, kv heads, past, head_dim] -> logits, present.N.key/value."""
        from onnx import helper

        decoder = self.decoder
        lengths, total = self._lengths()
        self._rotary_tables()
        skip, hidden = self._embedding(), ""
        for number in range(decoder.n_layers):
            name = f"layers.{number}"
            skip, normal = self._normalized(f"{name}/input_layernorm", skip, hidden)
            hidden = self._attention(name, normal, lengths, total)
            skip, normal = self._normalized(f"{name}/post_attention_layernorm", skip, hidden)
            hidden = self._feed_forward(f"{name}/mlp", normal)
        _, normal = self._normalized(f"layers.{decoder.n_layers}/final_norm_layernorm", skip, hidden, is_last=True)
        self._product("/lm_head", normal, decoder.n_vocab, decoder.hidden, output="logits")
        inputs, outputs = self._ports()
        graph = helper.make_graph(self._nodes, "main_graph", inputs, outputs, self.data.tensors)
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="edge-recommender")

    def _lengths(self) -> tuple[str, str]:
        """Tokens of each row less one, and tokens of the longest, as attention wants them (int32)."""
        import onnx

        name = "/model/attn_mask_reformat/attn_mask_subgraph"
        one = self._constant([1])
        summed = self._node("ReduceSum", f"{name}/ReduceSum", "attention_mask", one, keepdims=0)
        lengths = self._node("Cast", f"{name}/Sub/Cast", self._node("Sub", f"{name}/Sub", summed, one), to=onnx.TensorProto.INT32)
        shape = self._node("Shape", f"{name}/Shape", "attention_mask")
        total = self._node("Gather", f"{name}/Gather", shape, self._constant(1), axis=0)
        return lengths, self._node("Cast", f"{name}/Gather/Cast", total, to=onnx.TensorProto.INT32)

    def _rotary_tables(self) -> None:
        import numpy as np

        width = self.decoder.head_dim
        angles = np.outer(np.arange(self.decoder.context), ROTARY_BASE ** (-np.arange(0, width, 2) / width))
        for name, each in (("cos_cache", np.cos), ("sin_cache", np.sin)):
            self.data.add(name, angles.shape, [each(angles).astype(np.float32)])

    def _embedding(self) -> str:
        """A table of its own in f32, or that of the output: the builder shares it where it is tied and has 4 bits or 32."""
        decoder, name = self.decoder, "/model/embed_tokens"
        if not decoder.is_tied or self.precision.bits == 8:
            table = self._floats("model.embed_tokens.weight", (decoder.n_vocab, decoder.hidden))
            return self._node("Gather", f"{name}/Gather", table, "input_ids")
        if self.precision.bits == 32:
            table = self._node("Transpose", f"{name}/Transpose", "lm_head.MatMul.weight", perm=[1, 0])
            return self._node("Gather", f"{name}/Gather", table, "input_ids")
        rows = self._constant([decoder.n_vocab, decoder.hidden * self.precision.bits // 8])
        table = self._node("Reshape", f"{name}/Reshape", f"lm_head.MatMul.weight_Q{self.precision.bits}", rows)
        return self._node(
            "GatherBlockQuantized", f"{name}/GatherBlockQuantized", table, "input_ids", "lm_head.MatMul.weight_scales", domain=MICROSOFT,
            bits=self.precision.bits, block_size=self.precision.block, gather_axis=0, quantize_axis=1,
        )

    def _normalized(self, name: str, skip: str, hidden: str, *, is_last: bool = False) -> tuple[str, str]:
        """The sum that goes on beside the next part, and its normalization; the first one has nothing to add."""
        scale = self._vector(f"model.{name.replace('/', '.')}.weight", self.decoder.hidden, "norms")
        name = f"/model/{name}"
        if not hidden:
            made = self._node("SimplifiedLayerNormalization", f"{name}/LayerNorm", skip, scale, outputs=[f"{name}/output_0"], epsilon=EPSILON, axis=-1, stash_type=1)
            return skip, made
        outputs = [f"{name}/output_0"] if is_last else [f"{name}/output_0", "", "", f"{name}/output_3"]
        self._node("SkipSimplifiedLayerNormalization", f"{name}/SkipLayerNorm", skip, hidden, scale, outputs=outputs, domain=MICROSOFT, epsilon=EPSILON)
        return f"{name}/output_3", f"{name}/output_0"

    def _attention(self, layer: str, hidden: str, lengths: str, total: str) -> str:
        decoder, name, number = self.decoder, f"/model/{layer}/attn", layer.rpartition(".")[2]
        width = decoder.queries + 2 * decoder.keys
        packed = self._product(f"{name}/qkv_proj", hidden, width, decoder.hidden)
        if decoder.has_bias:
            packed = self._node("Add", f"{name}/qkv_proj/Add", packed, self._vector(f"model.{layer}.attn.qkv_proj.Add.bias", width, "weights"))
        heads = (packed, "", "") if not decoder.has_head_norms else self._normalized_heads(layer, packed)
        found = self._node(
            "GroupQueryAttention", f"{name}/GroupQueryAttention", *heads, f"past_key_values.{number}.key", f"past_key_values.{number}.value", lengths, total,
            "cos_cache", "sin_cache", "", "", "", domain=MICROSOFT, num_heads=decoder.n_heads, kv_num_heads=decoder.n_kv_heads, scale=decoder.head_dim**-0.5,
            local_window_size=-1, softcap=0.0, do_rotary=1, rotary_interleaved=0,
            outputs=[f"{name}/GroupQueryAttention/output_0", f"present.{number}.key", f"present.{number}.value"],
        )
        return self._product(f"{name}/o_proj", found, *decoder.matrices["o_proj"])

    def _normalized_heads(self, layer: str, packed: str) -> tuple[str, str, str]:
        """q, k and v apart, the first two normalized by head."""
        decoder, name = self.decoder, f"/model/{layer}/attn"
        parts = [f"{name}/qkv_proj/Split/output_{at}" for at in range(3)]
        widths = [decoder.queries, decoder.keys, decoder.keys]
        self._node("Split", f"{name}/qkv_proj/Split", packed, self._constant(widths), outputs=parts, axis=-1)
        for at, norm in enumerate(("q_norm", "k_norm")):
            rows = self._node("Reshape", f"{name}/{norm}/Reshape_1", parts[at], self._constant([0, -1, decoder.head_dim]))
            scale = self._vector(f"model.{layer}.attn.{norm}.layernorm.weight", decoder.head_dim, "norms")
            normal = self._node(
                "SimplifiedLayerNormalization", f"{name}/{norm}/SimplifiedLayerNormalization", rows, scale, epsilon=EPSILON, axis=-1, stash_type=1,
            )
            parts[at] = self._node("Reshape", f"{name}/{norm}/Reshape_2", normal, self._constant([0, -1, widths[at]]))
        return parts[0], parts[1], parts[2]

    def _feed_forward(self, name: str, hidden: str) -> str:
        name, sizes = f"/model/{name}", self.decoder.matrices
        gate, up = (self._product(f"{name}/{each}", hidden, *sizes[each]) for each in ("gate_proj", "up_proj"))
        active = self._node("Mul", f"{name}/act_fn/Mul", gate, self._node("Sigmoid", f"{name}/act_fn/Sigmoid", gate))
        return self._product(f"{name}/down_proj", self._node("Mul", f"{name}/Mul", active, up), *sizes["down_proj"])

    def _product(self, name: str, hidden: str, rows: int, columns: int, output: str = "") -> str:
        """`hidden` times a matrix of (outputs, inputs)."""
        bits, block, output = self.precision.bits, self.precision.block, output or f"{name}/MatMul/output_0"
        weight = f"{name[1:].replace('/', '.')}.MatMul.weight"
        if bits == 32:
            return self._node("MatMul", f"{name}/MatMul", hidden, self._floats(weight, (columns, rows)), outputs=[output])
        shape = (rows, columns // block, block * bits // 8)
        codes = self.data.add(f"{weight}_Q{bits}", shape, self.numbers.parts("codes", rows * columns * bits // 8))
        scales = self.data.add(f"{weight}_scales", shape[:2], self.numbers.parts(f"scales{bits}", rows * columns // block))
        return self._node(
            "MatMulNBits", f"{name}/MatMul_Q{bits}", hidden, codes, scales, outputs=[output], domain=MICROSOFT, K=columns, N=rows, accuracy_level=_ACCURACY_LEVEL,
            bits=bits, block_size=block,
        )

    def _floats(self, name: str, shape: tuple[int, int]) -> str:
        return self.data.add(name, shape, self.numbers.parts("weights", shape[0] * shape[1]))

    def _vector(self, name: str, size: int, kind: str) -> str:
        return self.data.add(name, (size,), self.numbers.parts(kind, size))

    def _constant(self, value: Any) -> str:
        """An int64, once for the whole graph."""
        import numpy as np
        from onnx import numpy_helper

        name = f"/model/constants/INT64/{value}"
        if name not in self._constants:
            self._constants.add(name)
            self._node("Constant", f"/model/constant_nodes/INT64/{value}", outputs=[name], value=numpy_helper.from_array(np.array(value, np.int64), name))
        return name

    def _node(self, kind: str, name: str, *inputs: str, outputs: list[str] | None = None, domain: str = "", **attributes: Any) -> str:
        """The name of its first output."""
        from onnx import helper

        outputs = outputs or [f"{name}/output_0"]
        self._nodes.append(helper.make_node(kind, inputs, outputs, name, domain=domain, **attributes))
        return outputs[0]

    def _ports(self) -> tuple[list[onnx.ValueInfoProto], list[onnx.ValueInfoProto]]:
        from onnx import TensorProto, helper

        decoder = self.decoder
        pairs = [f"{number}.{part}" for part in ("key", "value") for number in range(decoder.n_layers)]

        def cache(name: str, length: str) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch_size", decoder.n_kv_heads, length, decoder.head_dim])

        ids = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch_size", axis]) for name, axis in (("input_ids", "sequence_length"), ("attention_mask", "total_sequence_length"))]
        logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch_size", "sequence_length", decoder.n_vocab])
        return (
            [*ids, *(cache(f"past_key_values.{pair}", "past_sequence_length") for pair in pairs)],
            [logits, *(cache(f"present.{pair}", "total_sequence_length") for pair in pairs)],
        )
