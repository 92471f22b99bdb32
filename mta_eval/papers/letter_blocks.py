"""Table 1 of the MTA paper: letter blocks, every seed beside the reported ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import pandas as pd

from mta_eval.core import Record, Run
from mta_eval.papers.artifact import NOTHING, Block, PaperArtifact
from mta_eval.papers.measured import NAMES
from mta_eval.papers.reported_mta import TABLE_1
from mta_eval.papers.trained import KINDS, Axis, Spread, Trained, curve, trained_models
from mta_eval.results.pictures.curves import Curve, draw_curves
from mta_eval.results.table import GAP

AXES: tuple[Axis, ...] = ("position", "letter")
HEAD = (
    "model",
    "block",
    "target",
    "reported",
    "seeds reported",
    "preset",
    "measured",
    "seeds measured",
    "letters wrong",
)


def letter_block_errors(records: Sequence[Record], runs: Sequence[tuple[str, Run]]) -> PaperArtifact:
    """Table 1, with the letter-block records of `runs`, and curves of the errors by place and by letter."""
    models = trained_models(records, runs)
    missing = [key for key in TABLE_1 if not any(_key(model) == key for model in models)]
    return PaperArtifact(
        name="Table 1",
        title="letter blocks, wrong answers in per cent",
        place="Table 1, section 4.1",
        reported="Mean ± sample standard deviation over three seeds; the task has 319 characters, the models 4 layers. "
        "The single seeds are from the released code's notes (H100), which warn that other GPUs give other figures. "
        "The released code leaves dropout (0.1) on in the Transformer's attention when it evaluates, and off in MTA's: "
        "its Transformer may be better than these errors say. Here dropout is off for both.",
        measured=_measured_text(models),
        blocks=[Block("", HEAD, table_1_rows(models), left=3)],
        frame=_frame(models),
        missing=[f"{NAMES[kind]}, blocks of {block}, target {target}" for kind, block, target in missing],
        instructions=_instructions(missing),
        draw=lambda stem: [path for axis in AXES for path in _draw(models, axis, stem.parent)],
    )


def _instructions(missing: Sequence[tuple[str, int, str]]) -> list[str]:
    """Train each kind that is missing, then ask those of one task together."""
    instructions = [
        f"mta-eval train letter_blocks --model {kind} --block {block} --target {target} --seed 42 "
        f"--out runs/{kind}-{block}-{target}"
        for kind, block, target in missing
    ]
    for block, target in dict.fromkeys(key[1:] for key in missing):
        kinds = [kind for kind, *task in missing if task == [block, target]]
        models = " ".join(f"--model {kind}:runs/{kind}-{block}-{target}" for kind in kinds)
        asked = f"letter_blocks:block={block},target={target}"
        instructions.append(
            f"mta-eval run {asked} {models} --depths any --repeats 1000 --seed 1000 --out runs/letters-{block}-{target}"
        )
    note = "Seeds 43 and 44 likewise; `--preset paper` trains at the paper's size, for a GPU."
    return [*instructions, note] if instructions else []


def _measured_text(models: Sequence[Trained]) -> str:
    if not models:
        return NOTHING
    samples = " or ".join(map(str, sorted({len(model.records) for model in models})))
    tasks = " · ".join(f"`{task}`" for task in dict.fromkeys(model.task for model in models))
    presets = ", ".join(dict.fromkeys(model.preset for model in models))
    return (
        f"{tasks}, models trained with the preset {presets}, {samples} samples for each seed. Letters are compared as "
        "they were generated. Where task and models are smaller, compare the pattern of the columns, not the numbers. "
        "A mean over seeds says little where some seeds solve the task and others do not: compare the single seeds."
    )


def table_1_rows(models: Sequence[Trained]) -> list[list[str]]:
    """Rows of texts under HEAD: all that is reported, and all that was measured, one row for each task and
    preset of a kind."""
    rows = []
    keys = [*TABLE_1, *dict.fromkeys(_key(model) for model in models if _key(model) not in TABLE_1)]
    for key in sorted(keys, key=lambda key: (key[1], key[2], KINDS.index(key[0]))):
        reported = TABLE_1.get(key)
        reported_texts = [GAP, GAP]
        if reported:
            seeds = " · ".join(f"{seed}: {share:.1f}" for seed, share in reported.seeds.items())
            reported_texts = [f"{reported.mean:.1f} ± {reported.std:.1f}", seeds or GAP]
        groups: dict[tuple[str, str], list[Trained]] = {}
        for model in models:
            if _key(model) == key:
                groups.setdefault((model.task, model.preset), []).append(model)
        measured_texts = [_measured(group) for group in groups.values()] or [[GAP] * 4]
        rows += [[NAMES[key[0]], str(key[1]), key[2], *reported_texts, *texts] for texts in measured_texts]
    return rows


def _key(model: Trained) -> tuple[str, int, str]:
    return model.attention, model.block, model.target


def _measured(group: Sequence[Trained]) -> list[str]:
    spread = Spread({_seed(model, group): model.wrong for model in group})
    letters = mean(model.letters_wrong for model in group)
    return [group[0].preset, spread.text, spread.seeds_text, f"{100 * letters:.1f}"]


def _seed(model: Trained, group: Sequence[Trained]) -> str:
    """Its seed, or its name where another has the same."""
    return model.seed if sum(other.seed == model.seed for other in group) == 1 else model.model


def _frame(models: Sequence[Trained]) -> pd.DataFrame:
    """A row for each model measured, beside what is reported for its kind; then what is reported alone. Per cent."""
    rows = [_figures(_key(model), model) for model in models]
    known = {_key(model) for model in models}
    rows += [_figures(key) for key in TABLE_1 if key not in known]
    return pd.DataFrame(rows).astype({"samples": "Int64"})


def _figures(key: tuple[str, int, str], model: Trained | None = None) -> dict[str, object]:
    reported = TABLE_1.get(key)
    seed = model.seed if model else ""
    return {
        **dict(zip(("attention", "block", "target"), key, strict=True)),
        **{name: getattr(model, name) if model else None for name in ("preset", "seed", "task", "model")},
        "samples": len(model.records) if model else None,
        "measured": 100 * model.wrong if model else None,
        "measured_letters": 100 * model.letters_wrong if model else None,
        "reported_seed": reported.seeds.get(seed) if reported else None,
        "reported_mean": reported.mean if reported else None,
        "reported_std": reported.std if reported else None,
    }


def _draw(models: Sequence[Trained], axis: Axis, out: Path) -> list[Path]:
    """A picture for each task: errors by "position" of the target, or by "letter" of the answer."""
    labels = {"position": "place of the target among the blocks", "letter": "letter of the answer"}[axis]
    paths: list[Path] = []
    for number, task in enumerate(dict.fromkeys(model.task for model in models)):
        curves = []
        for kind in KINDS:
            group = [model for model in models if (model.task, model.attention) == (task, kind)]
            if not group:
                continue
            points = curve(group, axis)
            lines = [model.errors_by(axis) for model in group]
            singles = [[mean(line[x]) if x in line else None for x in points] for line in lines] if lines[1:] else []
            means, lows, highs = (list(column) for column in zip(*points.values(), strict=True))
            curves.append(Curve(NAMES[kind], list(points), means, lows, highs, singles))
        unit = "answers" if axis == "position" else "letters"
        stem = out / (f"by_{axis}" if not number else f"by_{axis}_{number + 1}")
        paths += draw_curves(curves, f"{task}: wrong {unit}", (labels, f"wrong {unit}"), stem)
    return paths
