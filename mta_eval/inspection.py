"""A look into a checkpoint: its kernels and its attention, handed from the models to the pictures."""

from __future__ import annotations

from pathlib import Path

from mta_eval import registry
from mta_eval.core import Cell, Needle, Sample
from mta_eval.errors import ModelError, SpecError, StoreError

AROUND = 12  # context tokens shown on either side of the needle


def draw_kernels(checkpoint: str, out: Path) -> list[Path]:
    """Pictures of every learned kernel, a file for each layer and kind, and kernels.csv. Raises ModelError if none."""
    from mta_eval.models.attention_layer import MTAAttention
    from mta_eval.models.kernels import key_reach
    from mta_eval.models.retrofit import open_checkpoint
    from mta_eval.results import kernels as pictures

    model = open_checkpoint(checkpoint)
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror}") from error
    written: list[Path] = []
    rows = []
    for layer in (module for module in model.modules() if isinstance(module, MTAAttention)):
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
    if not rows:
        raise ModelError(f"{checkpoint!r} has {model.config.attention} attention: no kernels to draw")
    pictures.write_kernel_table(rows, out / "kernels.csv")
    return [*written, out / "kernels.csv"]


def draw_attention(checkpoint: str, task: str, cell: Cell, seed: int, rows: int, heads: int, out: Path) -> str:
    """The attention from a sample's last `rows` tokens to its asked needle, for the `heads` heads that look at it most.

    Returns one line about what was found. Raises SpecError if the task hides nothing, ModelError, StoreError.
    """
    from mta_eval.models.looking import attention_of_last
    from mta_eval.models.retrofit import open_checkpoint, where
    from mta_eval.models.tokenizer import load_tokenizer
    from mta_eval.results import attention_map as pictures
    from mta_eval.results.attention_map import HeadMap

    pictures.check_picture_path(out)
    tokenizer = load_tokenizer(where(checkpoint))
    sample = registry.build_task(task).sample(cell, seed, tokenizer)
    needle = _asked(sample)
    model = open_checkpoint(checkpoint)
    ids = tokenizer.prompt_ids(sample.prompt, plain=sample.chat is None)
    if len(ids) > model.config.max_position_embeddings:
        raise ModelError(f"the sample has {len(ids)} tokens, the model takes {model.config.max_position_embeddings}")
    maps = attention_of_last(model, ids, min(rows, len(ids)))
    shares = [layer[:, -1, needle.token_start : needle.token_end].sum(-1).tolist() for layer in maps]
    ranked = sorted(((share, i, h) for i, layer in enumerate(shares) for h, share in enumerate(layer)), reverse=True)
    first, last = max(0, needle.token_start - AROUND), min(len(ids), needle.token_end + AROUND)
    chosen = [HeadMap(i, h, maps[i][h, :, first:last].numpy()) for _, i, h in ranked[:heads]]
    texts = [tokenizer.decode([token]) for token in ids]
    needle_columns = (needle.token_start - first, needle.token_end - first)
    title = f"{sample.id}: from the last tokens to the needle at depth {needle.depth:.2f}"
    pictures.draw_attention(shares, chosen, texts[-maps[0].shape[1] :], texts[first:last], needle_columns, title, out)
    share, i, h = ranked[0]
    return f"layer {i}, head {h} puts {share:.0%} of the last token's attention on {needle.text!r}"


def _asked(sample: Sample) -> Needle:
    for needle in sample.needles:
        if needle.asked:
            return needle
    raise SpecError(f"{sample.task} asks for nothing that is hidden in its context, so there is no needle to look at")
