"""The graph of a decoder with its KV cache as a state, operator by operator as optimum-intel exports it, so that every fusion finds what it looks for."""

from __future__ import annotations

from typing import Any

from recommender.executors.decoder import EPSILON, ROTARY_BASE, Decoder
from recommender.executors.openvino.random_constants import RandomConstants

_MASKED = -65504.0  # least number of fp16
_ALL = -1


def decoder_graph(decoder: Decoder, constants: RandomConstants) -> Any:
    """`openvino.Model`: input_ids, attention_mask, position_ids [batch, tokens], beam_idx [batch] -> logits [batch, tokens, n_vocab], all f32."""
    import openvino
    from openvino import opset13 as opset

    ids, mask, positions = (_input(name, [-1, -1], openvino.Type.i64) for name in ("input_ids", "attention_mask", "position_ids"))
    beams = _input("beam_idx", [-1], openvino.Type.i32)
    table = constants.matrix("model.embed_tokens", decoder.n_vocab, decoder.hidden)
    hidden = opset.gather(table, opset.convert(ids, openvino.Type.i32), _int(0, openvino.Type.i32))
    shared = _Shared(decoder, positions, mask, beams, _batch(ids))
    sinks: list[Any] = []
    for number in range(decoder.n_layers):
        name = f"model.layers.{number}"
        normal = _normalized(hidden, decoder.hidden, constants)
        hidden = opset.add(hidden, _attention(normal, decoder, constants, name, shared, sinks))
        hidden = opset.add(hidden, _feed_forward(_normalized(hidden, decoder.hidden, constants), decoder, constants, f"{name}.mlp"))
    hidden = _normalized(hidden, decoder.hidden, constants)
    logits = _product(hidden, table if decoder.is_tied else constants.matrix("lm_head", decoder.n_vocab, decoder.hidden))
    logits.output(0).set_names({"logits"})
    return openvino.Model([opset.result(logits)], sinks, [ids, mask, positions, beams], "decoder")


class _Shared:
    """What all layers use: cosine and sine [batch, 1, tokens, head_dim], the causal mask [batch, 1, tokens, keys], an empty cache, beams."""

    def __init__(self, decoder: Decoder, positions: Any, mask: Any, beams: Any, batch: Any):
        import numpy as np
        import openvino
        from openvino import opset13 as opset

        frequencies = ROTARY_BASE ** (-np.arange(0, decoder.head_dim, 2, dtype=np.float32) / decoder.head_dim)
        rows = opset.convert(opset.unsqueeze(positions, _int(1)), openvino.Type.f32)
        angles = opset.transpose(opset.matmul(opset.constant(frequencies.reshape(1, -1, 1)), rows, False, False), opset.constant(np.array([0, 2, 1])))
        angles = opset.concat([angles, angles], -1)
        self.cosine, self.sine = (opset.unsqueeze(each(angles), _int(1)) for each in (opset.cos, opset.sin))
        n_keys = opset.gather(opset.shape_of(mask), _int(1), _int(0))
        keys = opset.unsqueeze(opset.range(_int(0), n_keys, _int(1), openvino.Type.i64), opset.constant(np.array([0, 1, 2])))
        seen = opset.less_equal(keys, opset.unsqueeze(positions, opset.constant(np.array([1, 3]))))
        self.mask = opset.select(seen, opset.constant(np.float32(0)), opset.constant(np.float32(_MASKED)))
        shape = opset.concat([batch, *(opset.constant(np.array([n])) for n in (decoder.n_kv_heads, 0, decoder.head_dim))], 0)
        self.empty, self.beams = opset.broadcast(opset.constant(np.float32(0)), shape), beams


def _attention(hidden: Any, decoder: Decoder, constants: RandomConstants, name: str, shared: _Shared, sinks: list[Any]) -> Any:
    import numpy as np
    from openvino import opset13 as opset

    def heads(projection: str, n: int, norm: bool) -> Any:
        """[batch, n, tokens, head_dim]"""
        rows, columns = decoder.matrices[projection]
        found = _product(hidden, constants.matrix(f"{name}.self_attn.{projection}", rows, columns))
        if decoder.has_bias:
            found = opset.add(found, constants.vector("weights", (1, 1, rows)))
        found = opset.reshape(found, opset.constant(np.array([0, 0, n, decoder.head_dim])), special_zero=True)
        found = _normalized(found, decoder.head_dim, constants) if norm else found
        return opset.transpose(found, opset.constant(np.array([0, 2, 1, 3])))

    query = _rotated(heads("q_proj", decoder.n_heads, decoder.has_head_norms), decoder, shared)
    key = _rotated(heads("k_proj", decoder.n_kv_heads, decoder.has_head_norms), decoder, shared)
    value = heads("v_proj", decoder.n_kv_heads, False)
    number = name.rpartition(".")[2]
    key, value = (_repeated(_remembered(each, decoder, f"past_key_values.{number}.{kind}present.{number}.{kind}", shared, sinks), decoder)
                  for each, kind in ((key, "key"), (value, "value")))
    found = opset.scaled_dot_product_attention(query, key, value, shared.mask, opset.constant(np.float32(decoder.head_dim**-0.5)))
    found = opset.transpose(found, opset.constant(np.array([0, 2, 1, 3])))
    found = opset.reshape(found, opset.constant(np.array([0, 0, decoder.queries])), special_zero=True)
    return _product(found, constants.matrix(f"{name}.self_attn.o_proj", *decoder.matrices["o_proj"]))


def _feed_forward(hidden: Any, decoder: Decoder, constants: RandomConstants, name: str) -> Any:
    from openvino import opset13 as opset

    gate, up = (_product(hidden, constants.matrix(f"{name}.{each}", *decoder.matrices[each])) for each in ("gate_proj", "up_proj"))
    return _product(opset.multiply(opset.swish(gate), up), constants.matrix(f"{name}.down_proj", *decoder.matrices["down_proj"]))


def _normalized(hidden: Any, size: int, constants: RandomConstants) -> Any:
    """Root mean square normalization over the last axis."""
    import numpy as np
    from openvino import opset13 as opset

    ones = (1,) * (len(hidden.get_output_partial_shape(0)) - 1)
    square = opset.power(hidden, opset.constant(np.full((*ones, 1), 2, np.float32)))
    mean = opset.add(opset.reduce_mean(square, opset.constant(np.array([_ALL])), keep_dims=True), opset.constant(np.full((*ones, 1), EPSILON, np.float32)))
    inverse = opset.divide(opset.constant(np.ones((*ones, 1), np.float32)), opset.sqrt(mean))
    return opset.multiply(constants.vector("norms", (*ones, size)), opset.multiply(hidden, inverse))


def _rotated(heads: Any, decoder: Decoder, shared: _Shared) -> Any:
    """Rotary embedding by halves."""
    import numpy as np
    from openvino import opset13 as opset

    def half(start: int, stop: int) -> Any:
        return opset.slice(heads, *(opset.constant(np.array([n])) for n in (start, stop, 1, 3)))

    middle, end = decoder.head_dim // 2, np.iinfo(np.int64).max
    turned = opset.concat([opset.multiply(half(middle, end), opset.constant(np.full((1, 1, 1, 1), -1, np.float32))), half(0, middle)], -1)
    return opset.add(opset.multiply(heads, shared.cosine), opset.multiply(turned, shared.sine))


def _remembered(new: Any, decoder: Decoder, name: str, shared: _Shared, sinks: list[Any]) -> Any:
    """What the cache holds, in the order of the beams, and the new behind it."""
    import openvino
    from openvino import opset13 as opset

    shape = openvino.PartialShape([-1, decoder.n_kv_heads, -1, decoder.head_dim])
    past = opset.gather(opset.read_value(shared.empty, name, openvino.Type.f32, shape), shared.beams, _int(0))
    whole = opset.concat([past, new], 2)
    sinks.append(opset.assign(whole, name))
    return whole


def _repeated(heads: Any, decoder: Decoder) -> Any:
    """Each key head as often as query heads share it."""
    import numpy as np
    from openvino import opset13 as opset

    times = decoder.n_heads // decoder.n_kv_heads
    if times == 1:
        return heads
    spread = opset.broadcast(opset.unsqueeze(heads, _int(2)), opset.constant(np.array([1, 1, times, 1, 1])), broadcast_spec="BIDIRECTIONAL")
    return opset.reshape(spread, opset.constant(np.array([0, decoder.n_heads, _ALL, decoder.head_dim])), special_zero=True)


def _product(hidden: Any, matrix: Any) -> Any:
    from openvino import opset13 as opset

    return opset.matmul(hidden, matrix, False, True)


def _input(name: str, shape: list[int], kind: Any) -> Any:
    from openvino import opset13 as opset

    found = opset.parameter(shape, kind, name=name)
    found.output(0).set_names({name})
    return found


def _batch(ids: Any) -> Any:
    """[1]: the batch size."""
    import numpy as np
    from openvino import opset13 as opset

    return opset.gather(opset.shape_of(ids), opset.constant(np.array([0])), _int(0))


def _int(value: int, kind: Any = None) -> Any:
    import numpy as np
    from openvino import opset13 as opset

    return opset.constant(np.int64(value)) if kind is None else opset.constant(value, kind)
