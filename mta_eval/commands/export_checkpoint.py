"""`mta-eval export-checkpoint`: a checkpoint of the attention family for a Python without mta-eval."""

from __future__ import annotations

from typing import Annotated

import typer

from mta_eval.commands import terminal
from mta_eval.commands.options import Checkpoint, NewFolder, WithCode
from mta_eval.errors import SpecError


def export_checkpoint(
    source: Checkpoint,
    out: NewFolder,
    with_code: WithCode = False,
    as_llama: Annotated[
        bool, typer.Option("--as-llama", help="Write a plain model (attention transformer) as a Llama.")
    ] = False,
) -> None:
    """Write a checkpoint so that it opens without mta-eval: with its code, or as a Llama, which any server opens."""
    if with_code == as_llama:
        raise SpecError("give one of --with-code (any attention) and --as-llama (attention transformer)")
    from mta_eval.models.checkpoints import portable

    if with_code:
        portable.write_with_code(source, out)
        terminal.print_line(f"{out}: AutoModelForCausalLM.from_pretrained({str(out)!r}, trust_remote_code=True)")
        return
    difference = portable.write_as_llama(source, out)
    terminal.print_line(f"{out}: a LlamaForCausalLM; its logits differ from the original's by at most {difference:.1e}")
