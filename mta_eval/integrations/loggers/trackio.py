"""Trackio: scores over lengths, pictures and the run's files, on this machine or in a Space of the user's."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from mta_eval.integrations.loggers.logged_run import LoggedRun
from mta_eval.integrations.loggers.sending import need_package


@dataclass(frozen=True)
class Trackio:
    """Trackio. Local unless a Space is named (here, or by TRACKIO_SPACE_ID), which is then private."""

    name: ClassVar[str] = "trackio"
    project: str = "mta-eval"
    space: str = ""  # "": TRACKIO_SPACE_ID, or none

    def check(self) -> None:
        """See RunLogger."""
        need_package(self.name, "trackio")

    def log(self, run: LoggedRun) -> str:
        """See RunLogger."""
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # nobody asked for it
        import trackio

        from mta_eval.results.table import slug_of

        sent = trackio.init(
            self.project,
            name=run.title,
            group=run.group,
            space_id=self.space or None,
            config=dict(run.facts),
            private=True,
            embed=False,
            auto_log_gpu=False,
            auto_log_cpu=False,
        )
        for length in run.lengths:
            sent.log(run.metrics(length), step=length)
        last = max(run.lengths, default=0)
        pictures = {f"pictures/{name}": trackio.Image(str(path)) for name, path in run.pictures.items()}
        sent.log({**run.metrics(None), **pictures}, step=last)
        artifact = trackio.Artifact(slug_of(run.group), type="mta-eval-run")
        for file in run.files:
            artifact.add_file(str(file))
        sent.log_artifact(artifact)
        sent.finish()
        return f"trackio show --project {self.project}"
