"""The parts of `gpu.py`: each writes what it found after every figure, and stops by itself at its deadline."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

HERE = Path(__file__).parent
LAYER = {"heads": 16, "size": 96, "kernel": (6, 11)}  # the paper's 880M model
CASE_PROCESSES = 12  # processes that compile and check


class PartResults:
    """The figures of a part, on disk after every one; `left` is how many seconds it still has."""

    def __init__(self, out: Path, deadline: float, smoke: bool) -> None:
        self.out, self.deadline, self.smoke, self.found = out, deadline, smoke, dict[str, Any]()

    @property
    def left(self) -> float:
        return self.deadline - time.monotonic()

    @property
    def device(self) -> str:
        return "cpu" if self.smoke else "cuda"

    def note(self, *keys: Any, value: Any) -> None:
        """Keep a figure under nested keys."""
        place = self.found
        for key in keys[:-1]:
            place = place.setdefault(str(key), {})
        place[str(keys[-1])] = value
        self.out.write_text(json.dumps(self.found))

    def attempt(self, *keys: Any, run: Callable[[], Any], needs: float = 0.0) -> Any:
        """Keep what `run` gives, or its error in one line; None where time is short."""
        if self.left < needs:
            self.note(*keys, value="no time left")
            return None
        try:
            value = run()
        except Exception as error:
            value = f"{type(error).__name__}: {str(error).strip()[:300]}"
            print(traceback.format_exc()[-1500:], file=sys.stderr)
            if not self.smoke:
                torch.cuda.empty_cache()
            self.note(*keys, value=value)
            return None
        self.note(*keys, value=value)
        return value


def run(part: str, out: Path, deadline: float, smoke: bool) -> None:
    """One part, in this process."""
    if smoke:
        torch.set_num_threads(1)
    parts: dict[str, Callable[[PartResults], None]] = {
        "correct": correct,
        "tune": tune,
        "table": table,
        "decode": decode,
        "models": models,
        "train": train,
        "paper": paper,
    }
    parts[part](PartResults(out, deadline, smoke))


def correct(results: PartResults) -> None:
    """All cases at once in processes of their own, and beside them the tuned configurations, to be compiled."""
    import gpu_cases

    if not results.smoke:
        properties = torch.cuda.get_device_properties(0)
        results.note("card", value=f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB")
        results.note("shared", value=properties.shared_memory_per_block_optin)
    results.note("torch", value=torch.__version__)
    tasks: list[tuple[str, dict[str, Any]]] = [(name, dict(task)) for name, task in gpu_cases.CASES.items()]
    if results.smoke:
        tasks = [(name, {**task, **gpu_cases.SMOKE}) for name, task in tasks if "dropout" not in task]
        tasks = [(name, {**task, "dtype": "float32", "value": 0}) for name, task in tasks]
    else:
        tasks += [(f"compile {blocks}", {"warm": True, "tokens": 512, "blocks": blocks}) for blocks in warm_sets()]

    def run_case(named: tuple[str, dict[str, Any]]) -> None:
        name, task = named
        began = time.monotonic()
        try:
            done = subprocess.run(
                [sys.executable, str(HERE / "gpu_cases.py"), json.dumps(task)],
                capture_output=True,
                text=True,
                timeout=max(5.0, results.left),
                check=False,
            )
            found = json.loads(done.stdout.splitlines()[-1]) if not done.returncode else done.stderr[-800:]
        except subprocess.TimeoutExpired:
            found = "no time left"
        if isinstance(found, dict) and "warm" not in found:
            bound = gpu_cases.BOUNDS[task.get("dtype", gpu_cases.BF16)]
            names = [key for key in found if key not in ("same again", "share dropped")]
            found["right"] = all(found[key] < bound for key in names) and found.get("same again", 1.0) == 1.0
        finished.append((name, found, round(time.monotonic() - began, 1)))

    finished: list[tuple[str, Any, float]] = []
    with ThreadPoolExecutor(1 if results.smoke else CASE_PROCESSES) as pool:
        for _ in pool.map(run_case, tasks):
            for name, found, took in finished:
                results.note("cases", name, value=found)
                results.note("took", name, value=took)


def timed(results: PartResults, run: Callable[[], Any], seconds: float = 1.0, limit: int = 20) -> float:
    """Median milliseconds of up to `limit` runs after two, each with cold caches; no further one after `seconds`."""
    if results.smoke:
        began = time.perf_counter()
        run()
        return (time.perf_counter() - began) * 1e3
    flush = torch.empty(2**28, dtype=torch.int8, device="cuda")
    began = time.monotonic()
    run()
    torch.cuda.synchronize()
    if time.monotonic() - began < seconds / 3:
        run()
    events = []
    began = time.monotonic()
    while not events or (len(events) < limit and time.monotonic() - began < seconds):
        flush.zero_()
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        torch.cuda.synchronize()
        events.append((start, end))
    times = sorted(start.elapsed_time(end) for start, end in events)
    return times[len(times) // 2]


def peak_memory(results: PartResults, run: Callable[[], Any]) -> float:
    """MiB at the peak of `run` beyond what was allocated before it."""
    if results.smoke:
        run()
        return 0.0
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    run()
    torch.cuda.synchronize()
    return (torch.cuda.max_memory_allocated() - before) / 2**20


def tensors(results: PartResults, tokens: int, dtype: torch.dtype = torch.bfloat16) -> list[torch.Tensor]:
    """q, k, v and a kernel of the paper's layer; small ones in a smoke test."""
    heads, size = (2, 16) if results.smoke else (LAYER["heads"], LAYER["size"])
    torch.manual_seed(0)
    where = {"device": results.device, "dtype": torch.float32 if results.smoke else dtype}
    made = [torch.randn(1, heads, tokens, size, **where) for _ in range(3)]
    sizes: Any = (3, 4) if results.smoke else LAYER["kernel"]
    kernel = torch.randn(heads, *sizes, device=results.device) * 0.1
    kernel[:, -1, sizes[1] // 2] += 1
    return [*made, kernel]


def kernels_of(layer: str, kernel: torch.Tensor) -> Any:
    """The kernels of a layer of the family: before, v1 (pairs mixed after), v2 (all four), talking heads."""
    from mta_eval.attention.kernels import Kernels

    heads = kernel.shape[0]

    def mixing(size: int) -> torch.Tensor:
        eye = torch.eye(size, device=kernel.device).repeat(heads // size, 1, 1)
        return eye + 0.1 * torch.randn_like(eye)

    if layer == "before":
        return Kernels(kernel)
    if layer == "v1":
        return Kernels(kernel, mix_after=mixing(2))
    if layer == "v2":
        return Kernels(kernel, mixing(heads), kernel.flip(0), mixing(heads))
    return Kernels(None, mixing(heads), None, mixing(heads))


ATTEND = [[128, 128, 8, 3], [128, 128, 8, 2], [128, 128, 8, 4], [128, 64, 8, 3], [128, 64, 4, 3], [64, 128, 4, 3]]
WEIGH = [[128, 128, 8, 3], [128, 128, 8, 4], [128, 64, 8, 3], [128, 64, 8, 4], [64, 64, 4, 3], [64, 128, 8, 3]]
QUERY = [[128, 64, 8, 3], [128, 64, 4, 3], [128, 128, 8, 3], [256, 64, 8, 3], [128, 64, 8, 4], [128, 32, 4, 4]]
COLUMN = [
    [64, 128, 8, 3, 128],
    [64, 128, 8, 4, 128],
    [64, 128, 4, 3, 128],
    [32, 128, 8, 4, 128],
    [128, 128, 8, 3, 64],
    [64, 128, 8, 3, 256],
]

STEPS = [[64, 1, 4, 4], [128, 1, 4, 2], [128, 1, 8, 2], [128, 1, 8, 3], [64, 1, 8, 3]]


def warm_sets() -> list[list[list[int]]]:
    """Sets of blocks that together compile every candidate."""
    return [list(four) for four in zip(ATTEND, WEIGH, QUERY, COLUMN, strict=True)]


def tune(results: PartResults) -> None:
    """Each candidate of each kernel alone, at 4K and at 16K, in milliseconds."""
    for tokens in (40,) if results.smoke else (4096, 16384):
        tune_at(results, tokens)


def tune_at(results: PartResults, tokens: int) -> None:
    """The same at one length."""
    from mta_eval.attention.fused import function
    from mta_eval.attention.fused.configurations import Blocks
    from mta_eval.attention.fused.forward import launch_attend
    from mta_eval.attention.fused.geometry import geometry
    from mta_eval.attention.fused.gradients import GRANULE, delta_of, stripe_rows
    from mta_eval.attention.fused.preparation import prepare
    from mta_eval.attention.fused.transposes import through_band, to_keys

    q, k, v, kernel = tensors(results, tokens)
    sizes = geometry(q, k, v, kernel, 0, "both", False, 0.0)
    base = function.configuration_for(q, sizes)
    starts = torch.zeros(1, dtype=torch.int32, device=q.device)

    def plain(q: torch.Tensor = q, k: torch.Tensor = k, v: torch.Tensor = v) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)

    results.attempt(tokens, "sdpa", run=lambda plain=plain: timed(results, plain, 0.3))
    prepared = lambda: prepare(q, k, kernel, starts, sizes)  # noqa: E731
    results.attempt(tokens, "prepare", run=lambda run=prepared: timed(results, run, 0.3))
    wide, band = prepared()
    for one in ATTEND[: 1 if results.smoke else None]:
        blocks = base.attend if results.smoke else Blocks(*one)
        run = lambda blocks=blocks: launch_attend(q, wide, band, v, starts, starts, sizes, blocks)  # noqa: E731
        results.attempt(tokens, "attend", one, run=lambda run=run: timed(results, run, 0.3, 8), needs=1)
    out, lse = launch_attend(q, wide, band, v, starts, starts, sizes, base.attend)
    grad = torch.randn_like(out)
    lse_grad = torch.zeros_like(lse)
    run = lambda: delta_of(out, grad, lse_grad, sizes)  # noqa: E731
    results.attempt(tokens, "delta", run=lambda run=run: timed(results, run, 0.2))
    delta = run()
    band_grad = delta.new_zeros(sizes.all_heads, sizes.queries, max(sizes.band, 1))
    heads_per_stripe, stripe_keys = function.stripes(sizes)
    heads = range(heads_per_stripe)
    # one stripe of several where a length has more; the figure is for all heads and keys
    stripe_count = math.ceil(sizes.all_heads / heads_per_stripe) * math.ceil(tokens / stripe_keys)
    workspace = q.new_empty(2, heads_per_stripe, stripe_rows(sizes), -(-stripe_keys // GRANULE) * GRANULE)
    total = delta.new_empty(sizes.all_heads, sizes.rows, sizes.size)
    wide_grad = delta.new_empty(heads_per_stripe, sizes.keys, sizes.wide)
    v_grad = torch.empty_like(v).view(-1, tokens, sizes.value)

    def stripe(**changed: Any) -> Any:
        blocks = base._replace(**changed)
        return function.Stripe(workspace, heads, 0, min(stripe_keys, tokens), sizes, blocks)

    def weigh(one: Any) -> Callable[[], None]:
        return lambda: stripe(weigh=one).weigh(
            q,
            wide,
            band,
            v,
            starts,
            grad,
            lse,
            delta,
            starts,
            band_grad,
        )

    def query(one: Any) -> Callable[[], None]:
        return lambda: stripe(query=one).to_queries(wide, total)

    def column(one: Any) -> Callable[[], None]:
        return lambda: stripe(column=one).to_wide_keys(q, wide_grad)

    def values(one: Any) -> Callable[[], None]:
        return lambda: stripe(column=one).to_values(grad, v_grad)

    results.note(tokens, "stripes", value=stripe_count)
    kinds = {
        "weigh": (WEIGH, weigh),
        "query": (QUERY, query),
        "column": (COLUMN, column),
        "values": (COLUMN, values),
    }
    for name, (candidates, make) in kinds.items():
        for one in candidates[: 1 if results.smoke else None]:
            blocks = getattr(base, "column" if name == "values" else name) if results.smoke else Blocks(*one)
            run = make(blocks)
            results.attempt(tokens, name, one, run=lambda run=run: stripe_count * timed(results, run, 0.3, 8), needs=1)
    weigh(base.weigh)()
    scores_grad = delta.new_empty(sizes.all_heads, sizes.rows, 1 << max(4, (sizes.reach - 1).bit_length()))
    shared = (heads, sizes, base.tokens)
    band_pass = lambda: through_band(  # noqa: E731
        q,
        k,
        kernel,
        starts,
        band_grad,
        total,
        scores_grad,
        torch.empty_like(q),
        *shared,
    )
    k_grad = torch.empty_like(k).view(-1, tokens, sizes.size)
    key_pass = lambda: to_keys(q, k, kernel, starts, wide_grad, scores_grad, k_grad, *shared)  # noqa: E731
    groups = math.ceil(sizes.all_heads / heads_per_stripe)
    results.attempt(tokens, "band", run=lambda run=band_pass: groups * timed(results, run, 0.2))
    results.attempt(tokens, "keys", run=lambda run=key_pass: groups * timed(results, run, 0.2))


def ways(
    results: PartResults, layer: str, tokens: int, backward: bool
) -> Iterator[tuple[str, Callable[[], torch.Tensor], list]]:
    """(name, run, leaves) of each way to do a layer that fits its length."""
    from mta_eval.attention.fused import fused_attention, unsupported
    from mta_eval.attention.tiles import full_matrix_attention, multi_token_attention

    q, k, v, kernel = tensors(results, tokens)
    kernels = kernels_of(layer, kernel)
    leaves = [q, k, v] + [one for one in kernels[:4] if one is not None]
    if backward:
        for leaf in leaves:
            leaf.requires_grad_()
    if layer == "before":
        yield "sdpa", lambda: F.scaled_dot_product_attention(q, k, v, is_causal=True), [q, k, v]
    if unsupported(q, v, kernels) is None:
        options = {"mix_after": kernels.mix_after, "key_padding": kernels.key_padding}
        yield "fused", lambda: fused_attention(q, k, v, kernels.convolve_before, **options), leaves
    if tokens <= (4096 if layer == "before" else 2048) or results.smoke:
        yield "definition", lambda: full_matrix_attention(q, k, v, kernels.to(q.dtype)), leaves
    if tokens <= (4096 if backward else 16384) or results.smoke:
        yield "tiles", lambda: multi_token_attention(q, k, v, kernels.to(q.dtype)), leaves


def table(results: PartResults) -> None:
    """Milliseconds and MiB of every way, fused and plain first, so that a short time costs the slow ones."""
    lengths = (40,) if results.smoke else (1024, 4096, 16384, 65536, 131072)
    plan = [("before", tokens, backward) for tokens in lengths for backward in (False, True)]
    plan += [(layer, tokens, False) for tokens in lengths[:2] for layer in ("v1", "v2", "talking")]
    plan += [(layer, tokens, True) for tokens in lengths[:2] for layer in ("v1", "v2", "talking")]
    plan += [(layer, tokens, False) for tokens in lengths[2:3] for layer in ("v2", "talking")]
    for names in (("sdpa", "fused"), ("tiles",), ("definition",)):
        for layer, tokens, backward in plan:
            if names[0] == "sdpa" and layer not in ("before", "v1"):
                continue  # they have no other form than tiles
            if names[0] != "sdpa" and layer in ("before", "v1") and tokens > 4096:
                continue
            _row(results, layer, tokens, backward, names)
    for dtype in (torch.float32, torch.float16):
        _other_dtype(results, dtype)


def _row(results: PartResults, layer: str, tokens: int, backward: bool, names: tuple[str, ...]) -> None:
    kind = "forward and backward" if backward else "forward"
    for name, run, leaves in ways(results, layer, tokens, backward):
        if name not in names:
            continue
        step: Callable[[], Any] = run
        if backward:
            out_grad = torch.randn_like(leaves[0].detach())

            def step(run: Any = run, leaves: Any = leaves, out_grad: Any = out_grad) -> Any:
                return torch.autograd.grad(run(), leaves, out_grad)

        def measure(step: Any = step) -> dict[str, float]:
            with torch.set_grad_enabled(backward):
                memory = peak_memory(results, step)
                return {"ms": timed(results, step, 1.0, 12), "MiB": memory}

        results.attempt(layer, kind, tokens, name, run=measure, needs=2)
        if not results.smoke:
            torch.cuda.empty_cache()


def _other_dtype(results: PartResults, dtype: torch.dtype) -> None:
    from mta_eval.attention.fused import fused_attention

    tokens = 40 if results.smoke else 4096
    q, k, v, kernel = tensors(results, tokens, dtype)
    name = str(dtype).removeprefix("torch.")
    for backward in (False, True):
        kind = "forward and backward" if backward else "forward"
        leaves = [one.detach().requires_grad_(backward) for one in (q, k, v, kernel)]
        plain = lambda: F.scaled_dot_product_attention(*leaves[:3], is_causal=True)  # noqa: B023, E731
        ours = lambda: fused_attention(*leaves)  # noqa: B023, E731
        for way, run, inputs in (("sdpa", plain, leaves[:3]), ("fused", ours, leaves)):
            step = run
            if backward:
                out_grad = torch.randn_like(q)

                def step(run: Any = run, inputs: Any = inputs, out_grad: Any = out_grad) -> Any:
                    return torch.autograd.grad(run(), inputs, out_grad)

            results.attempt(name, kind, tokens, way, run=lambda step=step: {"ms": timed(results, step)}, needs=4)


def decode(results: PartResults) -> None:
    """Milliseconds of one more token's attention in a CUDA graph, so that launches do not count, and outside of one."""
    from mta_eval.attention.documents import Tokens
    from mta_eval.attention.kernels import Kernels
    from mta_eval.attention.paths import attend

    for tokens in (40,) if results.smoke else (4096, 32768, 131072):
        q, k, v, kernel = tensors(results, tokens)
        for name in ("plain", "before", "v1", "v2", "talking"):
            kernels = Kernels() if name == "plain" else kernels_of(name, kernel)
            kept = q[:, :, -1 - kernels.halo : -1].contiguous()
            last = q[:, :, -1:].contiguous()
            run = lambda: attend(last, k, v, kernels, Tokens(1, tokens), kept)  # noqa: B023, E731
            with torch.no_grad():
                results.attempt(tokens, name, run=lambda run=run: timed(results, run, 0.5))
                if not results.smoke:
                    results.attempt(
                        tokens, f"{name}, graph", run=lambda run=run: timed(results, captured(run), 0.5), needs=2
                    )
        if results.smoke:
            continue  # interpreted steps are tested elsewhere
        shared = [one[:, ::4].contiguous() for one in (k, v)]
        plain = lambda: F.scaled_dot_product_attention(q[:, :, -1:], *shared, enable_gqa=True)  # noqa: B023, E731
        results.attempt(tokens, "plain, 4 heads share keys, graph", run=lambda: timed(results, captured(plain), 0.5))  # noqa: B023
        for way, keys, values in (("room half full", k, v), ("4 heads share keys", *shared)):
            run = step_in_room(q, keys, values, kernel, tokens // 2 if way == "room half full" else tokens)
            results.attempt(tokens, f"before, {way}, graph", run=lambda run=run: timed(results, captured(run), 0.5))
        results.attempt(tokens, "blocks", run=lambda: step_blocks(results, q, k, v, kernel), needs=3)  # noqa: B023


def step_in_room(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernel: torch.Tensor, length: int
) -> Callable[[], torch.Tensor]:
    """A step in a cache of which `length` places hold tokens, as is known on the device alone."""
    from mta_eval.attention.fused import decode_attention

    queries, held = q[:, :, -kernel.shape[1] :].contiguous(), torch.tensor(length, device=q.device)
    return lambda: decode_attention(queries, k, v, kernel, length=held)


def step_blocks(
    results: PartResults, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, kernel: torch.Tensor
) -> dict[str, Any]:
    """Milliseconds of the step with other blocks and numbers of splits, in a graph."""
    from dataclasses import replace

    from mta_eval.attention.fused.decoding import launch_decode
    from mta_eval.attention.fused.decoding_sizes import DecodingBlocks, decoding_sizes
    from mta_eval.attention.kernels import Kernels

    queries, found = q[:, :, -kernel.shape[1] :].contiguous(), dict[str, Any]()
    base = decoding_sizes(queries, k, v, kernel, Kernels(kernel), None)
    for blocks in (base.blocks, *(DecodingBlocks(*one) for one in STEPS)):
        for splits in (base.splits // 2, base.splits, min(128, 2 * base.splits)):
            sizes = replace(base, blocks=blocks, splits=max(1, splits))
            run = lambda sizes=sizes: launch_decode(queries, k, v, kernel, None, None, None, sizes)  # noqa: E731
            if results.left < 2:
                return found
            try:
                found[f"{list(blocks)} x {splits}"] = timed(results, captured(run), 0.2, 8)
            except Exception as error:  # the others go on
                found[f"{list(blocks)} x {splits}"] = f"{type(error).__name__}: {str(error)[:100]}"
    return found


def captured(run: Callable[[], Any]) -> Callable[[], None]:
    """`run` as a CUDA graph."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def models(results: PartResults) -> None:
    """Errors of whole models on the device against the CPU's float32: at once, decoding, LongHeads; tokens a second."""
    import gpu_training

    from mta_eval.attention.configuration import MTAConfig
    from mta_eval.attention.decoder import MTAForCausalLM

    common = {"hidden_size": 128, "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 256}
    common |= {"num_hidden_layers": 2, "vocab_size": 64, "max_position_embeddings": 512}
    before = {"query_kernel_after": 0, "key_kernel_after": 0, "head_kernel_before": 0}
    kinds: dict[str, dict[str, Any]] = {
        "before": {**before, "head_kernel_after": 0, "kernel_init": "normal"},
        "v1": {**before, "head_kernel_after": 2, "kernel_init": "normal"},
        "v2": {"kernel_init": "normal"},
        "talking heads": {"attention": "talking_heads", "kernel_init": "normal"},
        "transformer": {"attention": "transformer"},
        "diff": {"attention": "diff"},
    }
    ids = torch.randint(64, (2, 40 if results.smoke else 200), generator=torch.Generator().manual_seed(1))
    for name, options in kinds.items():
        torch.manual_seed(0)
        model = MTAForCausalLM(MTAConfig(**common, **options)).eval()

        def compare(model: Any = model) -> dict[str, float]:
            with torch.no_grad():
                want = model(ids).logits
                moved = model.to(results.device)
                with gpu_training.path_of("tiles"):
                    found = {"tiles": relative_difference(moved(ids.to(results.device)).logits, want)}
                with gpu_training.path_of("auto"):
                    found["fused"] = relative_difference(moved(ids.to(results.device)).logits, want)
                    found["in pieces, with the cache"] = relative_difference(
                        logits_in_pieces(moved, ids.to(results.device)), want
                    )
                    for kind, cache in caches_of(moved, results).items():
                        in_pieces = logits_in_pieces(moved, ids.to(results.device), cache)
                        found[f"in pieces, {kind} cache"] = relative_difference(in_pieces, want)
                    found |= graph_steps(moved, ids.to(results.device), want, results)
                return found

        results.attempt(name, run=compare)
    results.attempt("longheads", run=lambda: long_heads(results))


def caches_of(model: Any, results: PartResults) -> dict[str, Any]:
    """Caches of transformers other than the dynamic one; offloading needs a card."""
    from transformers import DynamicCache, StaticCache

    caches: dict[str, Any] = {"static": StaticCache(config=model.config, max_cache_len=256)}
    if not results.smoke:
        caches["offloaded"] = DynamicCache(config=model.config, offloading=True)
        caches["offloaded static"] = StaticCache(config=model.config, max_cache_len=256, offloading=True)
    return caches


def graph_steps(model: Any, ids: torch.Tensor, want: torch.Tensor, results: PartResults) -> dict[str, float]:
    """The last 8 tokens by one CUDA graph, with a static cache that was used, emptied and filled again."""
    from unittest import mock

    from transformers import StaticCache

    from mta_eval.attention import static_steps

    cache, prompt = StaticCache(config=model.config, max_cache_len=256), ids.shape[1] - 8
    token, logits = ids[:, :1].clone(), torch.empty(*ids[:, :1].shape, want.shape[2], device=ids.device)

    def step() -> None:
        logits.copy_(model(token, past_key_values=cache, use_cache=True).logits)

    with mock.patch.object(static_steps, "stays_on_device", return_value=True):
        model(ids[:, :9], past_key_values=cache, use_cache=True)
        replay = step if results.smoke else captured(step)
        cache.reset()
        model(ids[:, :prompt], past_key_values=cache, use_cache=True)
        parts = []
        for at in range(prompt, ids.shape[1]):
            token.copy_(ids[:, at : at + 1])
            replay()
            parts.append(logits.clone())
        began = time.perf_counter()
        for _ in range(2 if results.smoke else 30):
            replay()
        if not results.smoke:
            torch.cuda.synchronize()
    rate = (2 if results.smoke else 30) / (time.perf_counter() - began)
    return {
        "steps of a static cache, graph": relative_difference(torch.cat(parts, 1), want[:, prompt:]),
        "steps a second": rate,
    }


def logits_in_pieces(model: Any, ids: torch.Tensor, cache: Any = None) -> torch.Tensor:
    """Logits of a prompt in two pieces, and then token by token."""
    half, parts = ids.shape[1] - 8, []
    for first, last in [(0, half // 2), (half // 2, half), *((at, at + 1) for at in range(half, ids.shape[1]))]:
        done = model(ids[:, first:last], past_key_values=cache, use_cache=True)
        cache = done.past_key_values
        parts.append(done.logits)
    return torch.cat(parts, 1)


def relative_difference(found: torch.Tensor, want: torch.Tensor) -> float:
    """The largest difference, as a share of the largest logit."""
    return float((found.cpu().float() - want.cpu().float()).abs().max() / want.cpu().abs().max())


def long_heads(results: PartResults) -> dict[str, float]:
    """A small Llama with LongHeads: logits on the device against the CPU, and tokens a second at two lengths."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from mta_eval.models.context_extension.chunks import Chunking
    from mta_eval.models.context_extension.longheads import apply_longheads

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=64,
        hidden_size=256,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=512,
        num_hidden_layers=2,
        max_position_embeddings=2048,
    )
    model = apply_longheads(LlamaForCausalLM(config).eval(), Chunking(window=16, attention_length=64, begin=64))
    ids = torch.randint(64, (1, 80 if results.smoke else 300))
    with torch.no_grad():
        want = model(ids).logits
        again = apply_longheads(LlamaForCausalLM(config).eval(), Chunking(window=16, attention_length=64, begin=64))
        again.load_state_dict(model.state_dict())
        moved = model.to(results.device)
        for layer in moved.model.layers:
            attention = layer.self_attn
            attention.rotation = type(attention.rotation)(*(part.to(results.device) for part in attention.rotation))
        found = {"at once": relative_difference(moved(ids.to(results.device)).logits, want)}
        found["in pieces"] = relative_difference(logits_in_pieces(moved, ids.to(results.device)), want)
        found |= offloaded(moved, ids.to(results.device), want)
        for tokens in (80,) if results.smoke else (4096, 16384):
            prompt = torch.randint(64, (1, tokens), device=results.device)
            done = moved(prompt, use_cache=True, logits_to_keep=1)  # warms up
            began = time.perf_counter()
            done = moved(prompt, use_cache=True, logits_to_keep=1)
            if not results.smoke:
                torch.cuda.synchronize()
            found[f"prompt tokens a second at {tokens}"] = tokens / (time.perf_counter() - began)
            cache, one = done.past_key_values, prompt[:, :1]
            began = time.perf_counter()
            for _ in range(2 if results.smoke else 32):
                moved(one, past_key_values=cache, use_cache=True)
            if not results.smoke:
                torch.cuda.synchronize()
            found[f"decoded a second at {tokens}"] = (2 if results.smoke else 32) / (time.perf_counter() - began)
    return found


def offloaded(model: Any, ids: torch.Tensor, want: torch.Tensor) -> dict[str, float]:
    """LongHeads with keys on the CPU: its error, the share of stores that are pinned, and decoded tokens a second."""
    layers = [layer.self_attn for layer in model.model.layers]
    try:
        for layer in layers:
            layer.store_on = torch.device("cpu")
        found = {"in pieces, offloaded": relative_difference(logits_in_pieces(model, ids), want)}
        cache = model(ids, use_cache=True).past_key_values
        pinned = [part.is_pinned() for layer in cache.layers for part in (layer.keys, layer.values)]
        began = time.perf_counter()
        for _ in range(8):
            model(ids[:, :1], past_key_values=cache, use_cache=True).logits.sum().item()
        return found | {"pinned": sum(pinned) / len(pinned), "decoded a second": 8 / (time.perf_counter() - began)}
    finally:
        for layer in layers:
            layer.store_on = None


def train(results: PartResults) -> None:
    """Steps a second of the paper's preset: today's loop, the same with fused kernels, and a captured step."""
    import gpu_training

    if results.smoke:
        gpu_training.BATCH = 2
    table = results.attempt("rows a second", run=lambda: gpu_training.make_table(results))
    for attention in ("mta", "transformer"):
        for way in ("loop, fused", "captured, fused", "loop, tiles"):
            if attention == "transformer" and way == "loop, tiles":
                continue
            if results.smoke and attention == "mta" and way != "loop, tiles":
                continue  # interpreted, that would take minutes
            results.attempt(attention, way, run=lambda a=attention, w=way: gpu_training.rate(results, a, w), needs=5)
        if results.smoke and attention == "mta":
            continue
        kinds = {
            "captured, rows streamed": lambda a=attention: gpu_training.streamed_rate(results, a),
            "captured, 3 seeds": lambda a=attention: gpu_training.side_by_side(results, a, 3),
        }
        for kind, measure in kinds.items():
            results.attempt(attention, kind, run=measure, needs=12)
    del table


def paper(results: PartResults) -> None:
    """The captured training of MTA and of the Transformer, half of the time each."""
    import gpu_training

    if results.smoke:
        gpu_training.BATCH = 2
        results.attempt("transformer", run=lambda: gpu_training.train_until(results, "transformer", 0.0))
        return
    for attention, until in (("mta", results.left / 2), ("transformer", 0.0)):
        results.attempt(attention, run=lambda a=attention, u=until: gpu_training.train_until(results, a, u), needs=8)
