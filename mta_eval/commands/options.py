"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ModelSpecs = Annotated[
    list[str], typer.Option("--model", help="Model spec, such as smollm2 or hf:PATH_OR_ID; repeatable.")
]
Tokenizer = Annotated[str, typer.Option("--model", help="Model spec; tokenizer:PATH is enough here.")]
Lengths = Annotated[str, typer.Option(help="Window sizes in tokens, prompt and answer together: 512,1k,128k.")]
Depths = Annotated[str, typer.Option(help="Needle depths from 0 (start) to 1 (end): 0,0.5,1, or any.")]
Depth = Annotated[str, typer.Option(help="Needle depth from 0 (start) to 1 (end), or any.")]
Repeat = Annotated[int, typer.Option(help="Number of the repeat, from 0.", min=0)]
Repeats = Annotated[int, typer.Option(help="Samples per length and depth.", min=1)]
Seed = Annotated[int, typer.Option(help="Random seed.")]
Seeds = Annotated[str, typer.Option(help="Several random seeds in one run, instead of --seed: 0,1,2.")]
Runs = Annotated[list[Path], typer.Argument(help="Run folders, or samples_*.jsonl files of lm-eval.")]
Columns = Annotated[str, typer.Option("--x", help="Column axis.")]
Rows = Annotated[str, typer.Option("--y", help="Row axis.")]
WithAttention = Annotated[
    bool, typer.Option("--attention", help="Also draw the attention maps of attention-family models on one sample.")
]
Checkpoint = Annotated[str, typer.Argument(help="Folder, hub id or spec of a Llama-type or attention-family model.")]
NewFolder = Annotated[Path, typer.Option(help="New folder to write.")]
