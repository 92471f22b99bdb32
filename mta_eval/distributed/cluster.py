"""A Ray cluster: starting or joining one, and how many replicas fit on it."""

from __future__ import annotations

import atexit
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypedDict

from mta_eval.errors import SpecError

OBJECT_STORE_BYTES = 80 * 1024 * 1024  # shared memory of a local Ray: records are small; Ray's minimum is 75 MiB
CONNECT_SECONDS = 5  # timeout for a connection to the head node; Ray itself retries for minutes
SHUTDOWN_SECONDS = 30.0  # timeout for Ray's own shutdown
MOST_GPUS = 1_000_000  # of a replica; more is a slip
ROUNDING = 1e-9  # so that 7 GPUs hold 100 replicas of 0.07


class _NodeInfo(TypedDict):
    """What is read of an item of `ray.nodes()`."""

    Alive: bool
    Resources: dict[str, float]


@dataclass(frozen=True)
class Cluster:
    """The cluster options of the command line.

    An empty `address` starts Ray on this machine. `replicas` None: as many as fit with a GPU each, or one per node
    without GPUs. `gpus_per_replica` None: one if the cluster has GPUs. Raises SpecError.
    """

    address: str = ""
    replicas: int | None = None
    gpus_per_replica: float | None = None

    def __post_init__(self) -> None:
        gpus = self.gpus_per_replica or 0
        if not 0 <= gpus <= MOST_GPUS or (gpus > 1 and gpus != int(gpus)):
            raise SpecError(f"--gpus-per-replica is a part of one GPU, such as 0.5, or a whole number, not {gpus:g}")
        if self.address.startswith("ray://"):
            raise SpecError("--address takes auto or HOST:PORT, on a node of the cluster; ray:// is not enough here")


@dataclass(frozen=True)
class Placement:
    """The number of replicas, and the CPUs and GPUs that each of them reserves."""

    replicas: int
    cpus: int
    gpus: float

    def __str__(self) -> str:
        gpus = f" and {_count(self.gpus, 'GPU')}" if self.gpus else ""
        return f"{_count(self.replicas, 'replica')} of {_count(self.cpus, 'CPU')}{gpus}"

    @property
    def bundle(self) -> dict[str, float]:
        """The resources that one replica reserves, as Ray names them."""
        return {"CPU": float(self.cpus)} | ({"GPU": self.gpus} if self.gpus else {})


def placement_for(wanted: Cluster, nodes: Sequence[Mapping[str, float]]) -> Placement:
    """The replicas that fit on a cluster with these resources of its nodes. Raises SpecError if it has too few.

    Each replica gets as many CPUs as still let all of them fit.
    """
    gpus = wanted.gpus_per_replica
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0.0
    default = sum(1 for node in nodes if node.get("CPU", 0) >= 1) if not gpus else _fitting(nodes, 1, gpus)
    replicas = wanted.replicas or default
    if not 0 < replicas <= _fitting(nodes, 1, gpus):
        smallest = Placement(replicas or 1, 1, gpus)
        raise SpecError(
            f"{smallest} each do not fit the cluster, {resources_text(nodes)}; ask for fewer, or join a larger one"
        )
    widest = int(max(node.get("CPU", 0) for node in nodes))
    cpus = next(cpus for cpus in range(widest, 0, -1) if _fitting(nodes, cpus, gpus) >= replicas)
    return Placement(replicas, cpus, gpus)


def resources_text(nodes: Sequence[Mapping[str, float]]) -> str:
    """The resources of a cluster as text: "2 nodes with 4 CPUs, 0 GPUs"."""
    cpus, gpus = (sum(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
    return f"{_count(len(nodes), 'node')} with {_count(cpus, 'CPU')}, {_count(gpus, 'GPU')}"


def node_resources() -> list[dict[str, float]]:
    """The total resources of each living node of the joined cluster."""
    import ray

    nodes: list[_NodeInfo] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]


@contextmanager
def joined_cluster(address: str) -> Iterator[None]:
    """A context in which Ray runs: started on this machine and shut down at the end, or joined and left running.

    A local Ray listens on loopback only, has no dashboard and sends no usage statistics. Raises SpecError.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not address:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray's name for "loopback only"
    try:
        import ray
    except ImportError as error:
        raise SpecError("--executor ray needs Ray: pip install 'mta-eval[ray]'") from error
    if ray.is_initialized():  # by the caller, who also shuts it down
        yield
        return
    arguments: dict[str, Any] = {"address": address or "local"}
    if address and address != "auto":
        _check_reachable(address)
    elif not address:
        arguments |= {
            "_node_ip_address": "127.0.0.1",
            "include_dashboard": False,
            "object_store_memory": OBJECT_STORE_BYTES,
        }
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**arguments, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        action = f"join the Ray cluster at {address}" if address else "start Ray here"
        raise SpecError(f"cannot {action}: {reason}") from error
    if threading.current_thread() is threading.main_thread():
        # Ray's own handler prints stack traces; a local Ray ends with this process anyway
        signal.signal(signal.SIGTERM, on_term)
    try:
        yield
    finally:
        _shut_down()


def _shut_down() -> None:
    """Shut Ray down, or continue without waiting for it: its shutdown has been seen to hang for ten minutes."""
    import ray

    shutdown = threading.Thread(target=ray.shutdown, daemon=True)
    shutdown.start()
    shutdown.join(SHUTDOWN_SECONDS)
    if shutdown.is_alive():
        atexit.unregister(ray.shutdown)  # it would hang again at exit, and a local Ray ends with this process


def _check_reachable(address: str) -> None:
    """Raises SpecError if nothing listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise SpecError(f"--address is auto or HOST:PORT, such as 10.0.0.1:6379, not {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise SpecError(
            f"no Ray answers at {address} ({error}); `ray start --head` there prints its address"
        ) from error


def _fitting(nodes: Sequence[Mapping[str, float]], cpus: int, gpus: float) -> int:
    """The number of replicas of this size that fit."""
    return sum(
        int(min(node.get("CPU", 0) / cpus, node.get("GPU", 0) / gpus if gpus else float("inf")) + ROUNDING)
        for node in nodes
    )


def _count(number: float, noun: str) -> str:
    return f"{number:g} {noun}{'' if number == 1 else 's'}"
