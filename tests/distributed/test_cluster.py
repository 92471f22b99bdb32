"""The placement of replicas, and the errors where a cluster cannot be joined. No Ray is started here."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import pytest

from mta_eval.distributed.cluster import Cluster, Placement, joined_cluster, placement_for, resources_text
from mta_eval.errors import SpecError

Call = Callable[..., tuple[int, str, str]]
RUN = ("run", "niah", "--model", "window:300", "--lengths", "256", "--repeats", "1", "--out", "run")
SMALL: dict[str, float] = {"CPU": 4.0}
LARGE: dict[str, float] = {"CPU": 32.0, "GPU": 8.0}
HEAD: dict[str, float] = {"memory": 1e9}


def test_without_gpus_each_node_has_a_replica_with_all_its_cpus() -> None:
    assert placement_for(Cluster(), [HEAD, SMALL, SMALL]) == Placement(2, 4, 0.0)


def test_with_gpus_each_gpu_has_a_replica_and_its_share_of_the_cpus() -> None:
    assert placement_for(Cluster(), [SMALL, LARGE, LARGE]) == Placement(16, 4, 1.0)


@pytest.mark.parametrize(
    ("wanted", "nodes", "placed"),
    [
        (Cluster(replicas=3), [SMALL, SMALL], Placement(3, 2, 0.0)),  # 2 + 1: more than 2 CPUs each leave one out
        (Cluster(replicas=8), [SMALL, SMALL], Placement(8, 1, 0.0)),
        (Cluster(gpus_per_replica=0), [LARGE, SMALL], Placement(2, 16, 0.0)),
        (Cluster(gpus_per_replica=2), [LARGE], Placement(4, 8, 2.0)),
        (Cluster(gpus_per_replica=0.5), [LARGE], Placement(16, 2, 0.5)),
        (Cluster(gpus_per_replica=0.1), [{"CPU": 32.0, "GPU": 1.0}], Placement(10, 3, 0.1)),
        (Cluster(gpus_per_replica=0.07), [{"CPU": 200.0, "GPU": 7.0}], Placement(100, 2, 0.07)),  # 7 / 0.07 < 100
        (Cluster(replicas=1), [LARGE], Placement(1, 32, 1.0)),
    ],
)
def test_replicas_get_as_many_cpus_as_let_all_of_them_fit(
    wanted: Cluster, nodes: list[dict[str, float]], placed: Placement
) -> None:
    assert placement_for(wanted, nodes) == placed


@pytest.mark.parametrize(
    ("wanted", "nodes", "message"),
    [
        (
            Cluster(replicas=9),
            [SMALL, SMALL],
            "9 replicas of 1 CPU each do not fit the cluster, 2 nodes with 8 CPUs, 0",
        ),
        (Cluster(replicas=3, gpus_per_replica=4), [LARGE], "3 replicas of 1 CPU and 4 GPUs each do not fit the cluste"),
        (Cluster(gpus_per_replica=16), [LARGE, LARGE], "1 replica of 1 CPU and 16 GPUs each do not fit the cluster, 2"),
        (Cluster(gpus_per_replica=0.5), [SMALL], "do not fit the cluster, 1 node with 4 CPUs, 0 GPUs; ask for fewer"),
        (
            Cluster(),
            [HEAD],
            "1 replica of 1 CPU each do not fit the cluster, 1 node with 0 CPUs, 0 GPUs; ask for fewer",
        ),
    ],
)
def test_too_small_a_cluster_is_named_beside_what_was_wanted(
    wanted: Cluster, nodes: list[dict[str, float]], message: str
) -> None:
    with pytest.raises(SpecError, match=message):
        placement_for(wanted, nodes)


@pytest.mark.parametrize("gpus", [-1, 1.5])
def test_parts_of_several_gpus_are_refused(gpus: float) -> None:
    with pytest.raises(SpecError, match=f"part of one GPU, such as 0.5, or a whole number, not {gpus:g}"):
        Cluster(gpus_per_replica=gpus)


def test_what_a_cluster_has_is_told_in_words() -> None:
    assert resources_text([HEAD, LARGE, SMALL]) == "3 nodes with 36 CPUs, 8 GPUs"


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ray://10.0.0.1:10001", "--address takes auto or HOST:PORT"),
        ("localhost", "--address is auto or HOST:PORT, such as 10.0.0.1:6379, not 'localhost'"),
        ("127.0.0.1:1", "no Ray answers at 127.0.0.1:1 "),
        pytest.param(
            *("auto", "cannot join the Ray cluster at auto: Could not find any running Ray instance"),
            marks=pytest.mark.slow,  # it would find the cluster of another test
        ),
    ],
)
def test_a_cluster_that_is_not_there_is_one_line(call: Call, address: str, message: str) -> None:
    pytest.importorskip("ray", reason="needs Ray: pip install 'mta-eval[ray]'")
    code, _, line = call(*RUN, "--executor", "ray", "--address", address)
    assert code == 2
    assert line.startswith(f"mta-eval: {message}")
    assert len(line.splitlines()) == 1


def test_without_ray_the_line_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    importing = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "ray":
            raise ImportError(name)
        return importing(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(SpecError, match=r"--executor ray needs Ray: pip install 'mta-eval\[ray\]'"), joined_cluster(""):
        pass


@pytest.mark.parametrize("option", [("--address", "auto"), ("--replicas", "2"), ("--gpus-per-replica", "0")])
def test_options_of_a_cluster_without_a_cluster_are_refused(call: Call, option: tuple[str, str]) -> None:
    code, _, line = call(*RUN, *option)
    assert (code, line) == (2, f"mta-eval: {option[0]} is for a Ray cluster; add --executor ray\n")
