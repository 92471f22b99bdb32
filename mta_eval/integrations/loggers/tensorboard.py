"""TensorBoard: curves over lengths, pictures and facts as event files on this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from mta_eval.integrations.loggers.logged_run import LoggedRun
from mta_eval.integrations.loggers.sending import need_package


@dataclass(frozen=True)
class TensorBoard:
    """TensorBoard event files, written where no server is needed; a run logged again takes the place of the first.

    It keeps no artifacts: the text "run" names the run folder.
    """

    name: ClassVar[str] = "tensorboard"
    folder: str = ""  # "": RUN/tensorboard

    def check(self) -> None:
        """See RunLogger."""
        need_package(self.name, "tensorboard")

    def log(self, run: LoggedRun) -> str:
        """See RunLogger."""
        from matplotlib.image import imread
        from torch.utils.tensorboard import SummaryWriter

        from mta_eval.results.table import markdown_table, slug_of

        where = Path(self.folder) if self.folder else run.folder / "tensorboard"
        place = where / slug_of(run.title)
        with SummaryWriter(str(place), purge_step=0) as writer:  # what was written before is shown no more
            for length in run.lengths:
                for metric, value in run.metrics(length).items():
                    writer.add_scalar(metric, value, length)
            for metric, value in run.metrics(None).items():
                writer.add_scalar(metric, value, 0)
            for name, path in run.pictures.items():
                writer.add_image(name, imread(path)[..., :3], 0, dataformats="HWC")
            rows = [(name, str(value)) for name, value in {**run.facts, "run folder": run.folder.resolve()}.items()]
            writer.add_text("run", markdown_table(("what", "value"), rows, left=2), 0)
        return f"tensorboard --logdir {where}"
