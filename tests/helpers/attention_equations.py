"""Logits of tiny decoders by the papers' equations, in plain Python: floats and loops, no tensors and none of our code.

MTA: arXiv 2504.00927, equations 4 to 7, section 3.3. DIFF: arXiv 2410.05258, equations 1 to 3. LongHeads: arXiv
2402.10685, section 3. `python tests/helpers/attention_equations.py` writes the numbers that the tests hold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path

FILE = Path(__file__).parents[1] / "golden" / "attention_logits.json"
Vector = list[float]
Matrix = list[Vector]
Heads = list[Matrix]  # [head][token][element]
Attend = Callable[[int, Heads, Heads, Heads], Matrix]  # layer, q, k, v, not rotated -> [token][all heads' outputs]

WIDTH, LAYERS, HEADS, SIZE, HIDDEN, WORDS, THETA, EPS = 16, 2, 4, 4, 12, 7, 10_000.0, 1e-5
TOKENS = [index * index % WORDS for index in range(1, 20)]
QUERIES, KEYS = 2, 3  # of MTA's kernels, before and after softmax
WINDOW, ATTENTION_LENGTH = 2, 8  # of LongHeads, in tokens; whole attention up to ATTENTION_LENGTH
SHAPES: dict[str, tuple[int, ...]] = {
    "input_layernorm.weight": (WIDTH,),
    "post_attention_layernorm.weight": (WIDTH,),
    **{f"self_attn.{name}_proj.weight": (HEADS * SIZE, WIDTH) for name in "qkv"},
    "self_attn.o_proj.weight": (WIDTH, HEADS * SIZE),
    "mlp.gate_proj.weight": (HIDDEN, WIDTH),
    "mlp.up_proj.weight": (HIDDEN, WIDTH),
    "mlp.down_proj.weight": (WIDTH, HIDDEN),
}
OWN: dict[str, dict[str, tuple[int, ...]]] = {
    "longheads": {},
    "mta": {
        "self_attn.convolve_before": (HEADS, QUERIES, KEYS),
        "self_attn.convolve_after": (HEADS, QUERIES, KEYS),
        "self_attn.mix_before": (1, HEADS, HEADS),
        "self_attn.mix_after": (HEADS // 2, 2, 2),
        "self_attn.norm.weight": (SIZE,),
        "self_attn.gate.weight": (1, SIZE),
        "self_attn.gate.bias": (1,),
    },
    "diff": {"self_attn.lambda_vectors": (4, SIZE), "self_attn.norm.weight": (2 * SIZE,)},
}


def shapes(kind: str) -> dict[str, tuple[int, ...]]:
    """Every parameter of the tiny decoder with its shape, under transformers' names."""
    inside = {**SHAPES, **OWN[kind]}
    layers = {f"model.layers.{layer}.{name}": shape for layer in range(LAYERS) for name, shape in inside.items()}
    outside = {"model.embed_tokens.weight": (WORDS, WIDTH), "lm_head.weight": (WORDS, WIDTH)}
    return {**outside, "model.norm.weight": (WIDTH,), **layers}


def flat(name: str, shape: Sequence[int]) -> Vector:
    """The numbers of a parameter, row by row: sines, so that nobody's random generator matters."""
    phase = sum(map(ord, name)) % 97
    around = 1.0 if "norm.weight" in name else 0.0
    return [around + 0.6 * math.sin(phase + 1.7 * index) for index in range(math.prod(shape))]


def matrix(name: str, shape: Sequence[int]) -> Matrix:
    """A parameter of two axes as rows; one of a single axis is one row."""
    numbers, width = flat(name, shape), shape[-1]
    return [numbers[start : start + width] for start in range(0, len(numbers), width)]


def logits(kind: str) -> Matrix:
    """[token][word] of the tiny decoder with that attention."""
    known = shapes(kind)

    def weight(name: str) -> Matrix:
        return matrix(name, known[name])

    def attend(layer: int, q: Heads, k: Heads, v: Heads) -> Matrix:
        own = {name: flat(f"model.layers.{layer}.{name}", shape) for name, shape in OWN[kind].items()}
        return {"mta": _mta, "diff": _diff, "longheads": _longheads}[kind](layer, own, q, k, v)

    rows = [list(weight("model.embed_tokens.weight")[token]) for token in TOKENS]
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        normed = [_rms(row, weight(prefix + "input_layernorm.weight")[0]) for row in rows]
        q, k, v = (
            _heads([_times(weight(f"{prefix}self_attn.{name}_proj.weight"), row) for row in normed]) for name in "qkv"
        )
        attended = [_times(weight(prefix + "self_attn.o_proj.weight"), row) for row in attend(layer, q, k, v)]
        rows = [_plus(row, more) for row, more in zip(rows, attended, strict=True)]
        for token, row in enumerate(rows):
            normed_row = _rms(row, weight(prefix + "post_attention_layernorm.weight")[0])
            gate, up = (_times(weight(f"{prefix}mlp.{name}_proj.weight"), normed_row) for name in ("gate", "up"))
            inner = [a / (1 + math.exp(-a)) * b for a, b in zip(gate, up, strict=True)]
            rows[token] = _plus(row, _times(weight(prefix + "mlp.down_proj.weight"), inner))
    last = [_rms(row, weight("model.norm.weight")[0]) for row in rows]
    return [_times(weight("lm_head.weight"), row) for row in last]


def _mta(_layer: int, own: dict[str, Vector], q: Heads, k: Heads, v: Heads) -> Matrix:
    count = len(TOKENS)
    scores = [_scores(_rotated(q[head]), _rotated(k[head])) for head in range(HEADS)]
    scores = [_convolved(scores[head], own["self_attn.convolve_before"], head) for head in range(HEADS)]
    scores = _mixed(scores, own["self_attn.mix_before"], HEADS)
    shares = [[[*_softmax(row[: i + 1]), *[0.0] * (count - i - 1)] for i, row in enumerate(of)] for of in scores]
    shares = [_convolved(shares[head], own["self_attn.convolve_after"], head) for head in range(HEADS)]
    shares = _mixed(shares, own["self_attn.mix_after"], 2)
    out: Matrix = []
    for i in range(count):
        row: Vector = []
        for head in range(HEADS):
            # the zero mask of equation 6: what a convolution carried into the future does not count
            value = _weighted(shares[head][i][: i + 1], v[head])
            value = _rms(value, own["self_attn.norm.weight"])
            gate = _dot(value, own["self_attn.gate.weight"]) + own["self_attn.gate.bias"][0]
            row += [element / (1 + math.exp(-gate)) for element in value]
        out.append(row)
    return out


def _convolved(scores: Matrix, kernel: Vector, head: int) -> Matrix:
    """Equation 4 with the masks of equation 5: theta[i'][j'] meets the score of query i - i' and key j - j'."""
    reach = KEYS // 2

    def theta(up: int, back: int) -> float:  # a kernel's last row meets the current query, its first column j - reach
        return kernel[(head * QUERIES + QUERIES - 1 - up) * KEYS + reach - back]

    return [
        [
            sum(
                theta(up, back) * scores[i - up][j - back]
                for up in range(QUERIES)
                for back in range(-reach, reach + 1)
                if 0 <= j - back <= i - up
            )
            for j in range(i + 1)
        ]
        + [0.0] * (len(scores) - i - 1)
        for i in range(len(scores))
    ]


def _mixed(of_heads: list[Matrix], kernel: Vector, size: int) -> list[Matrix]:
    """Equation 7: head h of a group becomes the sum over its heads g of w[h][g] times theirs."""
    return [
        [
            [
                sum(
                    kernel[(head // size * size + head % size) * size + g] * of_heads[head // size * size + g][i][j]
                    for g in range(size)
                )
                for j in range(len(TOKENS))
            ]
            for i in range(len(TOKENS))
        ]
        for head in range(HEADS)
    ]


def _diff(layer: int, own: dict[str, Vector], q: Heads, k: Heads, v: Heads) -> Matrix:
    q1, k1, q2, k2 = (own["self_attn.lambda_vectors"][start : start + SIZE] for start in range(0, 4 * SIZE, SIZE))
    initial = 0.8 - 0.6 * math.exp(-0.3 * layer)
    scale = math.exp(_dot(q1, k1)) - math.exp(_dot(q2, k2)) + initial
    out: Matrix = []
    for i in range(len(TOKENS)):
        row: Vector = []
        for pair in range(0, HEADS, 2):
            plus, minus = (
                _softmax(_scores(_rotated(q[head]), _rotated(k[head]))[i][: i + 1]) for head in (pair, pair + 1)
            )
            shares = [a - scale * b for a, b in zip(plus, minus, strict=True)]
            value = _weighted(shares, v[pair]) + _weighted(shares, v[pair + 1])
            row += [element * (1 - initial) for element in _rms(value, own["self_attn.norm.weight"])]
        out.append(row)
    return out


def _longheads(_layer: int, _own: dict[str, Vector], q: Heads, k: Heads, v: Heads) -> Matrix:
    out: Matrix = [[] for _ in TOKENS]
    for head in range(HEADS):
        queries, keys, values = q[head], k[head], v[head]
        full = range(0, len(TOKENS) - WINDOW + 1, WINDOW)
        vectors = [_chunk_vector(*(part[at : at + WINDOW] for part in (queries, keys, values))) for at in full]
        for i, query in enumerate(queries):
            seen = list(range(i + 1))
            if i >= ATTENTION_LENGTH:
                own_chunk = i // WINDOW
                ranked = sorted(range(1, own_chunk - 1), key=lambda chunk: -_dot(query, vectors[chunk]))
                chosen = {0, own_chunk - 1, own_chunk, *ranked[: ATTENTION_LENGTH // WINDOW - 3]}
                seen = [at for at in seen if at // WINDOW in chosen]
            turned = _rotated([keys[at] for at in seen])
            asking = _turn(query, len(seen) - 1)
            shares = _softmax([_dot(asking, key) / math.sqrt(SIZE) for key in turned])
            out[i] += _weighted(shares, [values[at] for at in seen])
    return out


def _chunk_vector(q: Matrix, k: Matrix, v: Matrix) -> Vector:
    turned, root = _rotated(k), math.sqrt(SIZE)
    outputs = [_weighted(_softmax([_dot(query, key) / root for key in turned]), v) for query in _rotated(q)]
    mean = [sum(column) / len(outputs) for column in zip(*outputs, strict=True)]
    return _weighted(_softmax([_dot(mean, key) / root for key in turned]), turned)


def _heads(rows: Matrix) -> Heads:
    return [[row[head * SIZE : (head + 1) * SIZE] for row in rows] for head in range(HEADS)]


def _scores(q: Matrix, k: Matrix) -> Matrix:
    return [[_dot(query, key) / math.sqrt(SIZE) for key in k] for query in q]


def _rotated(rows: Matrix) -> Matrix:
    return [_turn(row, place) for place, row in enumerate(rows)]


def _turn(row: Vector, place: int) -> Vector:
    """RoPE: elements e and e + SIZE / 2 turn together, by place * theta^(-2e / SIZE)."""
    half = SIZE // 2
    angles = [place * THETA ** (-2 * e / SIZE) for e in range(half)]
    first = [row[e] * math.cos(angles[e]) - row[e + half] * math.sin(angles[e]) for e in range(half)]
    return first + [row[e + half] * math.cos(angles[e]) + row[e] * math.sin(angles[e]) for e in range(half)]


def _softmax(row: Sequence[float]) -> Vector:
    powers = [math.exp(value - max(row)) for value in row]
    return [power / sum(powers) for power in powers]


def _rms(row: Vector, weight: Vector) -> Vector:
    root = math.sqrt(_dot(row, row) / len(row) + EPS)
    return [value / root * scale for value, scale in zip(row, weight, strict=True)]


def _weighted(shares: Vector, rows: Matrix) -> Vector:
    return [sum(share * row[e] for share, row in zip(shares, rows, strict=False)) for e in range(len(rows[0]))]


def _times(rows: Matrix, vector: Vector) -> Vector:
    return [_dot(row, vector) for row in rows]


def _plus(a: Vector, b: Vector) -> Vector:
    return [x + y for x, y in zip(a, b, strict=True)]


def _dot(a: Vector, b: Vector) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


if __name__ == "__main__":
    rounded = {kind: [[round(value, 9) for value in row] for row in logits(kind)] for kind in OWN}
    FILE.write_text(json.dumps(rounded, indent=0) + "\n")
