"""MLflow: parameters, metrics over lengths, pictures and the run's files, on a tracking server or in local files."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mta_eval.integrations.loggers.logged_run import LoggedRun
from mta_eval.integrations.loggers.sending import need_package

if TYPE_CHECKING:
    from mlflow.entities import Metric

FORBIDDEN = re.compile(r"[^\w\-. /]", re.ASCII)  # in names of parameters and metrics
LONGEST_VALUE = 6000  # characters of a parameter


@dataclass(frozen=True)
class MLflow:
    """MLflow. Its own variables (MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN, …) count; a run is named as its folder.

    In names of metrics, signs that MLflow does not take are underscores: niah_needles_4/accuracy.
    """

    name: ClassVar[str] = "mlflow"
    experiment: str = ""  # "": MLFLOW_EXPERIMENT_NAME, or mta-eval
    uri: str = ""  # "": MLFLOW_TRACKING_URI, or MLflow's default

    def check(self) -> None:
        """See RunLogger."""
        need_package(self.name, "mlflow")

    def log(self, run: LoggedRun) -> str:
        """See RunLogger."""
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # nobody asked for it
        from mlflow import MlflowClient
        from mlflow.entities import Param

        client = MlflowClient(self.uri or None)
        title = self.experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or "mta-eval"
        known = client.get_experiment_by_name(title)
        # not mlflow.start_run, which would also send the user's name, the program and its git commit
        made = client.create_run(known.experiment_id if known else client.create_experiment(title), run_name=run.title)
        sent = made.info.run_id
        params = [Param(FORBIDDEN.sub("_", name), str(value)[:LONGEST_VALUE]) for name, value in run.facts.items()]
        client.log_batch(sent, metrics=list(_metrics(run)), params=params)
        for picture in run.pictures.values():
            client.log_artifact(sent, str(picture), "pictures")
        for file in run.files:
            client.log_artifact(sent, str(file), "run")
        client.set_terminated(sent)
        return f"experiment {title}, run {sent}"


def _metrics(run: LoggedRun) -> Iterator[Metric]:
    """Every score; its step is the length."""
    from mlflow.entities import Metric

    now = int(time.time_ns() / 1e6)  # milliseconds, as MLflow keeps it
    for length in (*run.lengths, None):
        for name, value in run.metrics(length).items():
            yield Metric(FORBIDDEN.sub("_", name), float(value), now, length or 0)
