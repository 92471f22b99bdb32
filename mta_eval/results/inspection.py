"""A look into a checkpoint: its kernels and its attention, handed from the models to the pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mta_eval import registry
from mta_eval.attention.registration import MODEL_TYPE
from mta_eval.core import Cell, Needle, Record, Run, Sample, Task, cell_of
from mta_eval.errors import ModelError, SpecError, StoreError
from mta_eval.results.importing import prompts_of

AROUND = 12  # context tokens shown on either side of the needle


def draw_kernels(checkpoint: str, out: Path) -> list[Path]:
    """Pictures of every learned kernel, a file for each layer and kind, and kernels.csv. Raises ModelError if none."""
    from mta_eval.attention.kernel_layer import KernelAttention
    from mta_eval.attention.kernels import key_reach
    from mta_eval.models.checkpoints.retrofit import open_checkpoint
    from mta_eval.results.pictures import kernels as pictures

    model = open_checkpoint(checkpoint)
    if not any(name.rpartition(".")[2].startswith(("convolve_", "mix_")) for name, _ in model.named_parameters()):
        raise ModelError(f"{checkpoint!r} has {model.config.attention} attention: no kernels to draw")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror}") from error
    written: list[Path] = []
    rows = []
    for layer in (module for module in model.modules() if isinstance(module, KernelAttention)):
        for when in ("before", "after"):
            number, stem = layer.layer_idx, f"layer-{layer.layer_idx:02d}"
            convolve, mix = getattr(layer, f"convolve_{when}"), getattr(layer, f"mix_{when}")
            if convolve is not None:
                values, name = convolve.detach().float().numpy(), f"key-query-{when}-softmax"
                left = key_reach(convolve, layer.kernels.key_padding)[0]
                title = f"Layer {number}: key-query kernels {when} softmax"
                written += pictures.draw_convolutions(values, title, out / f"{stem}-{name}", left=left)
                rows += pictures.kernel_rows(values, number, name, left=left)
            if mix is not None:
                values, name = mix.detach().float().numpy(), f"heads-{when}-softmax"
                title = f"Layer {number}: head kernels {when} softmax"
                written += pictures.draw_mixing(values, title, out / f"{stem}-{name}")
                rows += pictures.mixing_rows(values, number, name)
    pictures.write_kernel_table(rows, out / "kernels.csv")
    return [*written, out / "kernels.csv"]


def default_length(checkpoints: Sequence[str]) -> int:
    """1,024 tokens, or the smallest whole window of the checkpoints."""
    known = registry.names("models")
    specs = [name if registry.parse(name)[0] in known else f"hf:{name}" for name in checkpoints]
    return min(1024, *(registry.build_model(spec).max_length for spec in specs))


def draw_checkpoint_attention(
    checkpoint: str, task: str, cell: Cell, seed: int, rows: int, heads: int, out: Path
) -> str:
    """The attention from a sample's last `rows` tokens to its asked needle, for the `heads` heads that look at it most.

    Returns one line about what was found. Raises SpecError if the task hides nothing, ModelError, StoreError.
    """
    from mta_eval.results.pictures import attention_map as pictures
    from mta_eval.results.pictures.attention_map import HeadMap

    pictures.check_picture_path(out)
    look = _look(checkpoint, registry.build_task(task), cell, seed, rows)
    needle, texts, maps = look.needle, look.texts, look.maps
    first, last = max(0, needle.token_start - AROUND), min(len(texts), needle.token_end + AROUND)
    chosen = [HeadMap(i, h, maps[i][h, :, first:last].numpy()) for _, i, h in look.ranked[:heads]]
    needle_columns = (needle.token_start - first, needle.token_end - first)
    title = f"{look.sample.id}: from the last tokens to the needle at depth {needle.depth:.2f}"
    row_texts = texts[-maps[0].shape[1] :]
    pictures.draw_attention(look.shares, chosen, row_texts, texts[first:last], needle_columns, title, out)
    return look.line


def compare_attention(
    checkpoints: Sequence[str], task: str, cell: Cell, seed: int, rows: int, heads: int, out: Path
) -> list[str]:
    """The attention of several checkpoints on the same sample, from its last `rows` tokens to all of its prompt.

    Shows of each the `heads` heads that look at the needle most; returns a line about each. Raises as
    `draw_attention` does, and SpecError if the checkpoints' tokenizers cut the prompt differently.
    """
    from mta_eval.results.pictures.attention_map import check_picture_path
    from mta_eval.results.pictures.attention_rows import HeadRow, ModelRows, draw_rows

    check_picture_path(out)
    made = registry.build_task(task)
    looks = [_look(checkpoint, made, cell, seed, rows) for checkpoint in checkpoints]
    for checkpoint, look in zip(checkpoints, looks, strict=True):
        if look.texts != looks[0].texts:
            raise SpecError(f"{checkpoint} and {checkpoints[0]} read other tokens; draw a picture of each")
    models = [
        ModelRows(
            checkpoint,
            [
                HeadRow(i, h, look.texts[row], look.maps[i][h, row].numpy())
                for _, i, h in sorted(look.ranked[:heads], key=lambda found: found[1:])
                for row in range(-look.maps[i].shape[1], 0)
            ],
        )
        for checkpoint, look in zip(checkpoints, looks, strict=True)
    ]
    needle = looks[0].needle
    title = f"{looks[0].sample.id}: from the last {rows} tokens to {needle.text!r}"
    draw_rows(models, looks[0].texts, (needle.token_start, needle.token_end), title, out)
    return [f"{checkpoint}: {look.line}" for checkpoint, look in zip(checkpoints, looks, strict=True)]


def can_look(model: str) -> bool:
    """Whether a model, by its spec, has a checkpoint of ours to look into: one of the attention family."""
    made: Any = registry.build_model(model)
    return getattr(getattr(getattr(made, "model", made), "config", None), "model_type", "") == MODEL_TYPE


def attention_pictures(questions: Sequence[Run], records: Sequence[Record]) -> Callable[[str, Path], list[str]]:
    """What `report --attention` calls for each task: draw the attention of its models on one sample that all can read.

    Models that are no checkpoint of the attention family are passed over.
    """

    models = list(dict.fromkeys(model for run in questions for model in run.models if prompts_of(run, model) == model))
    seen = [name for name in models if can_look(name)]
    window = min((registry.build_model(name).max_length for name in seen), default=0)

    def look(task: str, path: Path) -> list[str]:
        fitting = [one for one in records if one.task == task and cell_of(one.sample_id).length <= window]
        if not seen or not fitting:
            return []
        chosen = fitting[len(fitting) // 2]
        seed = next(run.seed_of(chosen) for run in questions if task in run.tasks)
        return compare_attention(seen, task, cell_of(chosen.sample_id), seed, 2, 4, path)

    return look


@dataclass(frozen=True)
class _Look:
    """One checkpoint on one sample: `maps` (layers of H, rows, T) from the prompt's last tokens to all its `texts`.

    `shares` (layers, heads) is what the last token puts on the needle, `ranked` the same as (share, layer, head).
    """

    sample: Sample
    needle: Needle
    texts: list[str]
    maps: list[Any]
    shares: list[list[float]]
    ranked: list[tuple[float, int, int]]

    @property
    def line(self) -> str:
        """What was found, in words."""
        share, layer, head = self.ranked[0]
        return f"layer {layer}, head {head} puts {share:.0%} of the last token's attention on {self.needle.text!r}"


def _look(checkpoint: str, task: Task, cell: Cell, seed: int, rows: int) -> _Look:
    from mta_eval.attention.inspection import attention_of_last
    from mta_eval.models.checkpoints.retrofit import open_checkpoint
    from mta_eval.models.locations import checkpoint_path
    from mta_eval.models.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(checkpoint_path(checkpoint))
    model = open_checkpoint(checkpoint)
    window = model.config.max_position_embeddings
    if cell.length > window:
        raise ModelError(f"a sample of {cell.length} tokens, but the model takes {window}; give a shorter --length")
    sample = task.sample(cell, seed, tokenizer)
    needle = _asked(sample)
    ids = tokenizer.prompt_ids(sample.prompt, plain=sample.chat is None)
    if len(ids) > window:
        raise ModelError(f"the sample has {len(ids)} tokens, the model takes {window}")
    maps = attention_of_last(model, ids, min(rows, len(ids)))
    shares = [layer[:, -1, needle.token_start : needle.token_end].sum(-1).tolist() for layer in maps]
    ranked = sorted(((share, i, h) for i, layer in enumerate(shares) for h, share in enumerate(layer)), reverse=True)
    return _Look(sample, needle, [tokenizer.decode([token]) or "·" for token in ids], maps, shares, ranked)


def _asked(sample: Sample) -> Needle:
    for needle in sample.needles:
        if needle.asked:
            return needle
    raise SpecError(f"{sample.task} asks for nothing that is hidden in its context, so there is no needle to look at")
