"""Multi-Token Attention (arXiv 2504.00927v2): every table and figure of it that has figures, on one page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from mta_eval.papers.artifact import NOTHING as NOTHING_MEASURED
from mta_eval.papers.artifact import PaperArtifact, artifact_of
from mta_eval.papers.axis_places import AxesStyle
from mta_eval.papers.benchmarks import table_3, table_4, table_8, table_9
from mta_eval.papers.comparison_table import COLUMNS, DERIVED, ComparisonTable, Notes, Reported
from mta_eval.papers.distraction import figure_5, figure_7
from mta_eval.papers.letter_blocks import letter_block_errors
from mta_eval.papers.measured import measured_models
from mta_eval.papers.needles import figure_3, figure_8
from mta_eval.papers.perplexities import table_2, table_5, table_10
from mta_eval.papers.reported_mta import SIZES, gain_at_880m
from mta_eval.papers.source import PREFACE, Attention, PageSource
from mta_eval.papers.subplots import draw_tables
from mta_eval.whole_files import write_bytes

LOOK = "`mta-eval attention` draws where a checkpoint looks; `mta-eval paper mta --attention` those of the runs."
NOTHING = "**These runs measured nothing of this paper.** The commands under the tables and figures measure it."


def mta_preface(source: PageSource, measured: bool) -> str:
    """The head of the page."""
    notes = [*([source.note] if source.note else []), *([] if measured else [NOTHING])]
    parts = [
        "# Multi-Token Attention: reported beside measured",
        PREFACE.format(
            paper="the paper, arXiv 2504.00927v2",
            reading="no value was read off a plot or estimated; “derived”: worked out here from stated values",
        ),
        *notes,
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def mta_artifacts(source: PageSource) -> list[PaperArtifact]:
    """Tables 1 to 5 and 8 to 10, Figures 3 to 8."""
    models = measured_models(source.records, source.runs)
    return [
        letter_block_errors(source.records, source.runs),
        table_2(models),
        table_3(models),
        table_4(models),
        table_5(models),
        table_8(source.counts),
        table_9(),
        table_10(models),
        figure_3(models),
        figure_4(source.attention),
        figure_5(models),
        figure_6(),
        figure_7(models),
        figure_8(models),
    ]


def figure_4(attention: Attention | None) -> PaperArtifact:
    """Where a model looks: a picture that was drawn already, if any."""

    def copy_pictures(stem: Path) -> list[Path]:
        copies = [(path, stem.with_suffix(path.suffix)) for path in attention.pictures]  # type: ignore[union-attr]
        for drawn, copy in copies:
            write_bytes(copy, drawn.read_bytes())
        return [copy for _, copy in copies]

    measured = f"one sample of `{attention.task}`. {'. '.join(attention.lines)}." if attention else NOTHING_MEASURED
    return PaperArtifact(
        name="Figure 4",
        title="where a model looks",
        place="Figure 4, section 4.4",
        reported="A picture without numbers: the attention of MTA from the tokens of a question to the needle "
        "“The magic number of San Francisco is 8.”",
        measured=measured,
        blocks=[],
        frame=pd.DataFrame(columns=list(COLUMNS)),
        missing=[] if attention else ["no attention was drawn"],
        instructions=[]
        if attention
        else [LOOK, "mta-eval attention MODEL --task niah --length 512 --out attention.png"],
        draw=copy_pictures if attention else None,
    )


def figure_6() -> PaperArtifact:
    """Kernels over heads, and the gain by model size: plotted only, but for what Table 2 tells of one size."""
    gains = gain_at_880m()
    reported: Reported = {name: {size: gains[name] if size == "880M" else None for size in SIZES} for name in gains}
    notes: Notes = {(name, "880M"): DERIVED for name in gains}
    table = ComparisonTable("gain over the Transformer by size", "size", SIZES, reported, {}, "per cent", 1, notes)
    reported_text = (
        "Left: average perplexity by the size of the kernels over heads; plotted only: the larger, the better. Right: "
        "by how many per cent perplexity is below the Transformer's, for models of four sizes (the fourth is presumed "
        "to be 880M); plotted only. Derived here: the gain at 880M, from the averages of Table 2."
    )
    instructions = ["Both halves take language models trained for each size; no run of mta-eval measures them."]
    return artifact_of(
        "Figure 6",
        "kernels over heads; gain by size",
        "Figure 6",
        reported_text,
        [table],
        instructions,
        partial(_draw_6, table),
    )


def _draw_6(table: ComparisonTable, stem: Path) -> list[Path]:
    heading = "Figure 6, right: gain over the Transformer, derived from Table 2 at 880M"
    return draw_tables([table], heading, AxesStyle("gain (%)", "size", (0, 3.5)), stem, 1)
