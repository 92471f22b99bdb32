"""A Ray cluster: started here or joined, and how many replicas fit it."""

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
from typing import Any

from mta_eval.errors import SpecError

STORE = 80 * 1024 * 1024  # bytes of shared memory for a local Ray: records are small; Ray takes no less than 75 MiB
REACHED = 5  # seconds for the head to take a call; Ray itself would try for minutes
LEFT = 30.0  # seconds to say goodbye to Ray
ROUNDING = 1e-9  # 7 GPUs hold 100 replicas of 0.07


@dataclass(frozen=True)
class Cluster:
    """What the user asked for.

    No `address` starts a Ray on this machine. `replicas` None: as many as have a GPU each, or else one a node.
    `gpus_per_replica` None: one if the cluster has any. Raises SpecError.
    """

    address: str = ""
    replicas: int | None = None
    gpus_per_replica: float | None = None

    def __post_init__(self) -> None:
        gpus = self.gpus_per_replica or 0
        if gpus < 0 or (gpus > 1 and gpus != int(gpus)):
            raise SpecError(f"--gpus-per-replica is a part of one GPU, such as 0.5, or a whole number, not {gpus:g}")
        if self.address.startswith("ray://"):
            raise SpecError("--address takes auto or HOST:PORT, on a node of the cluster; ray:// is not enough here")


@dataclass(frozen=True)
class Placement:
    """How many replicas, and what each of them holds."""

    replicas: int
    cpus: int
    gpus: float

    def __str__(self) -> str:
        gpus = f" and {_count(self.gpus, 'GPU')}" if self.gpus else ""
        return f"{_count(self.replicas, 'replica')} of {_count(self.cpus, 'CPU')}{gpus}"

    @property
    def bundle(self) -> dict[str, float]:
        """What one replica reserves, in Ray's words."""
        return {"CPU": float(self.cpus)} | ({"GPU": self.gpus} if self.gpus else {})


def place(wanted: Cluster, nodes: Sequence[Mapping[str, float]]) -> Placement:
    """How a cluster is shared out, from the resources of its nodes. Raises SpecError if it has too little.

    Each replica gets as many CPUs as let all of them fit.
    """
    gpus = wanted.gpus_per_replica
    if gpus is None:
        gpus = 1.0 if any(node.get("GPU", 0) >= 1 for node in nodes) else 0.0
    most = sum(1 for node in nodes if node.get("CPU", 0) >= 1) if not gpus else _fitting(nodes, 1, gpus)
    replicas = wanted.replicas or most
    if not 0 < replicas <= _fitting(nodes, 1, gpus):
        least = Placement(replicas or 1, 1, gpus)
        raise SpecError(f"{least} each do not fit the cluster, {told(nodes)}; ask for fewer, or join a larger one")
    widest = int(max(node.get("CPU", 0) for node in nodes))
    cpus = next(cpus for cpus in range(widest, 0, -1) if _fitting(nodes, cpus, gpus) >= replicas)
    return Placement(replicas, cpus, gpus)


def told(nodes: Sequence[Mapping[str, float]]) -> str:
    """What a cluster has, in words: "2 nodes with 4 CPUs, 0 GPUs"."""
    cpus, gpus = (sum(node.get(kind, 0) for node in nodes) for kind in ("CPU", "GPU"))
    return f"{_count(len(nodes), 'node')} with {_count(cpus, 'CPU')}, {_count(gpus, 'GPU')}"


def resources() -> list[dict[str, float]]:
    """What each living node of the joined cluster has in all."""
    import ray

    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return [node["Resources"] for node in nodes if node["Alive"]]


@contextmanager
def joined(address: str) -> Iterator[None]:
    """Ray, started on this machine and shut down at the end, or joined and left running. Raises SpecError.

    A local Ray listens on loopback only, has no dashboard, and tells nobody of its use.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    if not address:
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")  # Ray's name for "loopback only"
    try:
        import ray
    except ImportError as error:
        raise SpecError("--executor ray needs Ray: pip install 'mta-eval[ray]'") from error
    if ray.is_initialized():  # by a notebook, whose it stays
        yield
        return
    where: dict[str, Any] = {"address": address or "local"}
    if address and address != "auto":
        _reach(address)
    elif not address:
        where |= {"_node_ip_address": "127.0.0.1", "include_dashboard": False, "object_store_memory": STORE}
    on_term = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(**where, log_to_driver=False, logging_level=logging.ERROR)
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        does = f"join the Ray cluster at {address}" if address else "start Ray here"
        raise SpecError(f"cannot {does}: {reason}") from error
    if threading.current_thread() is threading.main_thread():
        signal.signal(
            signal.SIGTERM, on_term
        )  # Ray's own handler prints stacks; a local Ray ends with this process anyway
    try:
        yield
    finally:
        _leave()


def _leave() -> None:
    """End Ray here, or go on without it: its own shutdown was once seen to wait for ten minutes, all answers kept."""
    import ray

    leaving = threading.Thread(target=ray.shutdown, daemon=True)
    leaving.start()
    leaving.join(LEFT)
    if leaving.is_alive():
        atexit.unregister(ray.shutdown)  # it would wait again at this process's end, which ends a local Ray


def _reach(address: str) -> None:
    """Raises SpecError where no head listens at HOST:PORT."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise SpecError(f"--address is auto or HOST:PORT, such as 10.0.0.1:6379, not {address!r}")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=REACHED).close()
    except (OSError, OverflowError) as error:
        raise SpecError(
            f"no Ray answers at {address} ({error}); `ray start --head` there prints its address"
        ) from error


def _fitting(nodes: Sequence[Mapping[str, float]], cpus: int, gpus: float) -> int:
    """How many replicas of this size fit."""
    return sum(
        int(min(node.get("CPU", 0) / cpus, node.get("GPU", 0) / gpus if gpus else float("inf")) + ROUNDING)
        for node in nodes
    )


def _count(number: float, what: str) -> str:
    return f"{number:g} {what}{'' if number == 1 else 's'}"
