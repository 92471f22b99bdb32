"""A replica slot: resources reserved on the cluster, and the replica that uses them."""

from __future__ import annotations

from collections.abc import Collection
from textwrap import shorten
from typing import Any

from mta_eval.core import Record
from mta_eval.distributed.cluster import Placement
from mta_eval.distributed.replica import ModelFacts, Replica, SampleRequest, Workspace
from mta_eval.distributed.work_queue import SampleGroup
from mta_eval.errors import MtaEvalError

REASON_LENGTH = 240  # characters of Ray's message about a death


class WorkerDiedError(Exception):
    """The worker, or its node, is dead; the text gives Ray's reason."""


class ReplicaSlot:
    """Reserved resources with one replica at a time, which holds the weights of one model at a time."""

    def __init__(self, placement: Placement, workspace: Workspace) -> None:
        from ray.util.placement_group import placement_group

        self._placement = placement
        self._workspace = workspace
        self._reservation = placement_group([placement.bundle])
        self._actor: Any = None
        self._model = ""  # whose weights the replica holds
        self.group: SampleGroup | None = None
        self.stream: Any = None  # of references to records
        self.started = False  # whether a record of the group has arrived

    def ready(self) -> bool:
        """Whether the resources are reserved, on a node that is alive."""
        from ray.util import placement_group_table

        return bool(placement_group_table(self._reservation)["state"] == "CREATED")

    def inspect_models(self, models: Collection[str]) -> dict[str, ModelFacts]:
        """The facts of each model there. Raises WorkerDiedError, and MtaEvalError as the replica does."""
        facts: dict[str, ModelFacts] = _get(self._replica().inspect_models.remote(self._workspace, list(models)))
        return facts

    def submit(self, group: SampleGroup, request: SampleRequest) -> None:
        """Let the replica answer a group. Another model gets a new process, so that no memory is left behind."""
        if self._model not in ("", group.model):
            self._end_replica()
        self.group, self._model, self.started = group, group.model, False
        self.stream = self._replica().answer.options(num_returns="streaming").remote(self._workspace, request)

    def receive(self) -> Record | None:
        """The next record of the group; None after the last.

        Raises WorkerDiedError, and MtaEvalError as the replica does.
        """
        try:
            record: Record = _get(next(self.stream))
        except StopIteration:
            self.group = self.stream = None
            return None
        self.started = True
        return record

    def close(self) -> None:
        """End the replica and release the resources."""
        from ray.util.placement_group import remove_placement_group

        self._end_replica()
        remove_placement_group(self._reservation)

    def _replica(self) -> Any:
        """The handle of the replica, which is started at the first call."""
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        if self._actor is None:
            actor_class = ray.remote(Replica).options(
                num_cpus=self._placement.cpus,
                num_gpus=self._placement.gpus,
                scheduling_strategy=PlacementGroupSchedulingStrategy(self._reservation, 0),
            )
            self._actor = actor_class.remote()
        return self._actor

    def _end_replica(self) -> None:
        import ray

        if self._actor is not None:
            ray.kill(self._actor)
        self._actor = None


def _get(reference: Any) -> Any:
    """What a replica returned, or raised. Raises WorkerDiedError if it did neither."""
    import ray
    from ray.exceptions import RayError, RayTaskError

    try:
        return ray.get(reference)
    except RayTaskError as error:
        if isinstance(error.cause, MtaEvalError):
            raise error.cause from None
        raise
    except RayError as error:
        lines = [line for line in str(error).splitlines() if line.strip()]
        raise WorkerDiedError(shorten(lines[-1], REASON_LENGTH) if lines else type(error).__name__) from error
