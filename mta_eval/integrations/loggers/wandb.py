"""Weights & Biases: scores over lengths, pictures, the run's files; in its cloud or (WANDB_MODE=offline) a folder."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import ClassVar

from mta_eval.integrations.loggers.logged_run import LoggedRun
from mta_eval.integrations.loggers.sending import need_package


@dataclass(frozen=True)
class Wandb:
    """Weights & Biases. Its own variables (WANDB_API_KEY, WANDB_MODE, WANDB_DIR, …) count; a run is named as its
    folder.

    Sent are scores, pictures, run.json and records.jsonl; no code, no git state, nothing of the machine, no console.
    """

    name: ClassVar[str] = "wandb"
    project: str = ""  # "": WANDB_PROJECT, or mta-eval
    entity: str = ""  # "": WANDB_ENTITY, or the user's own

    def check(self) -> None:
        """See RunLogger."""
        need_package(self.name, "wandb")

    def log(self, run: LoggedRun) -> str:
        """See RunLogger."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # its own telemetry: nobody asked for it
        import wandb

        from mta_eval.results.table import slug_of

        quiet = wandb.Settings(
            console="off", silent=True, disable_git=True, save_code=False, x_disable_stats=True, x_disable_meta=True
        )
        sent = wandb.init(
            project=self.project or os.environ.get("WANDB_PROJECT") or "mta-eval",
            entity=self.entity or None,
            name=run.title,
            group=run.group,
            job_type="mta-eval",
            config=dict(run.facts),
            settings=quiet,
            reinit="create_new",
        )
        with sent:
            sent.define_metric("length")
            sent.define_metric("*", step_metric="length")
            for length in run.lengths:
                sent.log({"length": length, **run.metrics(length)})
            sent.log({f"pictures/{name}": wandb.Image(str(path)) for name, path in run.pictures.items()})
            sent.summary.update(run.metrics(None))
            artifact = wandb.Artifact(slug_of(run.group), type="mta-eval-run")
            for file in run.files:
                artifact.add_file(str(file))
            sent.log_artifact(artifact)
        return str(sent.url or f"offline; send it with wandb sync {sent.settings.sync_dir}")
