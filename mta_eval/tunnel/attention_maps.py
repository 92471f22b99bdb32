"""Where the variant in question looks: its attention maps on one row of each task, from the model of the first seed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mta_eval import registry
from mta_eval.core import DiagnosticTask
from mta_eval.errors import ModelError
from mta_eval.results.pictures.style import GREY, HEADING, NOTE, PAGE, TICK, save, shorten, styled
from mta_eval.results.table import slug_of
from mta_eval.tunnel.axes import task_text
from mta_eval.tunnel.training_run import TrainingResult

if TYPE_CHECKING:
    import torch

    from mta_eval.tunnel.tunnel_result import Tunnel

ROWS = 16  # last tokens whose attention is shown
EACH, AROUND = 1.1, 0.9  # inches: of a layer, of what stands above and below


@dataclass(frozen=True)
class MapPicture:
    """The attention maps of one task, an SVG file with siblings .png and .pdf."""

    path: Path
    title: str


def draw_attention_maps(tunnel: Tunnel, out: Path) -> list[MapPicture]:
    """Writes attention_TASK.png, .svg and .pdf for each task whose training did not diverge.

    Reads the models that `run_plan` left in `out`. Raises ModelError if the variant cannot say its weights, StoreError
    if a picture cannot be written.
    """
    drawn: list[MapPicture] = []
    taken: list[str] = []
    for task in tunnel.plan.tasks:
        one = tunnel.judged[task, tunnel.plan.variants[0].label]
        taken.append(slug_of(task, taken))
        trained = next((result for result in one.outcome.results if not result.diverged), None)
        if trained is not None:
            title = f"{one.title} on {task_text(task)}, seed {trained.training.seed}"
            drawn.append(MapPicture(_draw(trained, title, out, taken[-1]), title))
    return drawn


def _draw(result: TrainingResult, title: str, out: Path, slug: str) -> Path:
    from matplotlib.figure import Figure

    task = registry.build_diagnostic(result.training.task)
    row = task.row("test", 0, 0)
    count = min(ROWS, len(row) - 1)
    maps = maps_of(result, out, row[:-1], count)
    with styled():
        figure = Figure((PAGE, AROUND + EACH * len(maps)), layout="constrained")
        columns = max(len(layer) for layer in maps)
        grid = figure.subplots(len(maps), columns, squeeze=False, sharex=True, sharey=True)
        for number, (line, layer) in enumerate(zip(grid, maps, strict=True)):
            for head, axes in enumerate(line):
                axes.set_axis_off()
                if head < len(layer):
                    axes.set_axis_on()
                    axes.imshow(layer[head].numpy(), aspect="auto", cmap="viridis", interpolation="nearest")
                    axes.set_title(f"layer {number + 1}, head {head + 1}", fontsize=TICK)
                    axes.set_yticks(asked_rows(task, count), ["→"] * len(asked_rows(task, count)))
                    axes.tick_params(labelsize=TICK, length=0)
        figure.suptitle(shorten(title, 90), fontsize=HEADING, weight="bold", x=0.01, ha="left")
        note = f"rows: the last {count} tokens; columns: all tokens of the row; → the next token is asked"
        figure.supxlabel(note, fontsize=NOTE, color=GREY, x=0.99, ha="right")
        return save(figure, out / f"attention_{slug}")[1]


def maps_of(result: TrainingResult, out: Path, tokens: list[int], count: int) -> list[torch.Tensor]:
    """For each layer the weights (H, count, S) of the last `count` of S tokens, by the model that a training left."""
    from mta_eval.attention.decoder import MTAForCausalLM
    from mta_eval.attention.inspection import attention_of_last

    model = MTAForCausalLM.from_pretrained(out / result.training.name).eval()
    try:
        return attention_of_last(model, tokens, count)
    except Exception as error:  # the variant may be anybody's code
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelError(
            f"no attention maps of {result.training.label!r}: its weights cannot be made: {text}"
        ) from error


def asked_rows(task: DiagnosticTask, count: int) -> list[int]:
    """Which of the last `count` tokens before a row's last one are followed by a token that is asked, from 0."""
    places = [place + count for answer in task.answers for place in answer]
    return sorted(place for place in places if 0 <= place < count)
