"""A Ray cluster of several nodes on this machine, held to loopback, and a model that kills its worker on command."""

from __future__ import annotations

import os

# before ray is imported anywhere: Ray's name for "loopback only", and no word of its use to anybody
os.environ["RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"] = "0"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

from collections.abc import Callable, Iterator
from importlib import metadata
from typing import Any

import pytest

NODES = 2
MORTAL = '''
import os, signal, time
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from mta_eval.models.window import Window


@dataclass(frozen=True)
class Mortal(Window):
    """Window, but slow, and `fatal` to its worker: once if there is a `marker` file to leave, else always."""

    name: ClassVar[str] = "mortal"

    seconds: float = field(default=0.0, metadata={"help": "that each answer takes"})
    fatal: str = field(default="", metadata={"help": "part of the ids of samples that kill"})
    marker: str = field(default="", metadata={"help": "file to leave, so that it kills once"})
    kind: str = field(default="", metadata={"help": "file that says what describe tells"})

    def describe(self):
        return {"kind": Path(self.kind).read_text()} if self.kind else {}

    def generate(self, samples):
        for sample in samples:
            time.sleep(self.seconds)
            if self.fatal and self.fatal in sample.id and not (self.marker and Path(self.marker).exists()):
                if self.marker:
                    Path(self.marker).touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield from super().generate([sample])
'''


@pytest.fixture(scope="session", autouse=True)
def _mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The model `mortal`, as another package would bring it; workers see this process's sys.path."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "mortal_model.py").write_text(MORTAL)
    about = folder / "mortal_model-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: mortal-model\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[mta_eval.models]\nmortal = mortal_model:Mortal\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
        assert [entry.name for entry in metadata.entry_points(group="mta_eval.models")] == ["mortal"]
        yield


@pytest.fixture(scope="session")
def _ray_cluster(_mortal: None) -> Iterator[Any]:
    """A head that works on nothing, as Kubernetes has it; nodes come by `cluster`."""
    cluster_utils = pytest.importorskip("ray.cluster_utils", reason="needs Ray: pip install 'mta-eval[ray]'")
    made = cluster_utils.Cluster(initialize_head=True, head_node_args=node(0))
    yield made
    made.shutdown()


def node(cpus: int) -> dict[str, Any]:
    """What `Cluster.add_node` is told of a node of one CPU (or none)."""
    return {
        "num_cpus": cpus,
        "num_gpus": 0,
        "node_ip_address": "127.0.0.1",
        "include_dashboard": False,
        "include_log_monitor": False,
        "object_store_memory": 80 * 1024 * 1024,
    }


@pytest.fixture
def cluster(_ray_cluster: Any) -> Any:
    """A head and NODES nodes of one CPU each, all alive."""
    for _ in range(NODES - len(_ray_cluster.worker_nodes)):
        _ray_cluster.add_node(**node(1))
    _ray_cluster.wait_for_nodes()
    return _ray_cluster


@pytest.fixture
def lose(cluster: Any) -> Callable[[int], None]:
    """Kill so many of the nodes."""

    def remove(count: int) -> None:
        for lost in list(cluster.worker_nodes)[:count]:
            cluster.remove_node(lost, allow_graceful=False)

    return remove
