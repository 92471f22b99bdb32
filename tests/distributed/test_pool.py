"""Replicas on a real Ray cluster: several nodes on this machine, held to loopback."""

from __future__ import annotations

import dataclasses
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mta_eval import registry, runner
from mta_eval.core import Plan, Record, Sweep
from mta_eval.distributed import pool as pool_module
from mta_eval.distributed.cluster import Cluster
from mta_eval.distributed.pool import replica_pool
from mta_eval.errors import ModelError
from mta_eval.models.tokenizer import FastTokenizer

pytestmark = pytest.mark.slow  # live clusters: they start in half a minute, and Ray's own shutdown may hang

Call = Callable[..., tuple[int, str, str]]
NODES = 2
SWEEP = Sweep((256, 512), (0.0, 0.5, 1.0), 3)


def plan(*models: str, tasks: Sequence[str] = ("niah",), sweep: Sweep = SWEEP) -> Plan:
    built = registry.build_all(list(models), registry.build_model)
    return Plan(registry.build_all(list(tasks), registry.build_task), built, sweep)


def bare(records: Sequence[Record]) -> list[Record]:
    """Records without what no two runs share."""
    return [dataclasses.replace(record, seconds=0.0, peak_memory=None) for record in records]


def read(folder: Path) -> list[Record]:
    return [Record(**json.loads(line)) for line in (folder / "records.jsonl").read_text().splitlines()]


def test_replicas_on_several_nodes_give_the_records_of_one_process_in_its_order(cluster: Any) -> None:
    asked = plan("window:300", "window:400", tasks=("niah:needles=2", "passkey"))
    with replica_pool(Cluster(cluster.address), asked) as pool:
        assert str(pool.placement) == "2 replicas of 1 CPU"
        records = list(pool.run(asked))
    assert bare(records) == bare(list(runner.run(asked)))
    assert len(records) == 72
    assert all(record.seconds > 0 and record.peak_memory for record in records)


def test_a_worker_that_dies_once_costs_nothing(cluster: Any, tmp_path: Path) -> None:
    asked = plan(f"mortal:300,fatal=niah/256/0.50/1,marker={tmp_path / 'died'}")
    with replica_pool(Cluster(cluster.address, replicas=2), asked) as pool:
        records = list(pool.run(asked))
    assert (tmp_path / "died").exists()
    assert bare(records) == bare(list(runner.run(asked)))


def test_samples_that_kill_every_worker_become_errors_and_the_others_are_answered(cluster: Any) -> None:
    asked = plan("mortal:300,fatal=niah/256/0.50/1")
    with replica_pool(Cluster(cluster.address, replicas=2), asked) as pool:
        records = list(pool.run(asked))
    failed = {record.sample_id: record for record in records if record.error}
    assert set(failed) == {"niah/256/0.50/1", "niah/256/0.00/1"}  # 1.00 comes first, and was answered
    assert all("its worker died 3 times: The actor is dead" in str(record.error) for record in failed.values())
    assert all(record.score is None and record.prompt_sha256 for record in failed.values())
    assert [record.sample_id for record in records] == [f"niah/{cell}" for cell in SWEEP.cells()]


def test_a_users_mistake_in_a_replica_is_the_line_of_the_one_process_run(
    cluster: Any, call: Call, tmp_path: Path, byte_bpe: FastTokenizer
) -> None:
    byte_bpe._backend.save(str(tmp_path / "tokenizer.json"))
    asked = ("run", "niah", "--model", "tokenizer:tokenizer.json", "--lengths", "256", "--repeats", "1", "--out")
    here = call(*asked, "here")
    there = call(*asked, "there", "--executor", "ray", "--address", cluster.address, "--replicas", "1")
    assert here[0] == there[0] == 2
    assert here[2].splitlines()[-1] == there[2].splitlines()[-1]
    assert there[2].splitlines()[-1].startswith("mta-eval: ")
    assert "Traceback" not in there[2]


def test_a_run_goes_on_with_another_executor_and_a_cluster_is_left_running(
    cluster: Any, call: Call, tmp_path: Path
) -> None:
    asked = ("run", "niah", "--model", "window:300", "--lengths", "256", "--repeats", "2", "--out", "runs/one")
    ray = ("--executor", "ray", "--address", cluster.address, "--replicas", "2")
    code, _, said = call(*asked, *ray)
    assert code == 0, said
    folder = tmp_path / "runs/one"
    assert json.loads((folder / "run.json").read_text())["environment"]["executor"] == "Ray, 2 replicas of 1 CPU"
    whole = read(folder)
    lines = (folder / "records.jsonl").read_text().splitlines(keepends=True)
    (folder / "records.jsonl").write_text("".join(lines[:4]))
    assert call(*asked)[0] == 0
    assert bare(read(folder)) == bare(whole)
    (folder / "records.jsonl").write_text("".join(lines[:3]))
    assert call(*asked, *ray)[0] == 0
    assert bare(read(folder)) == bare(whole)


def test_a_local_ray_is_started_and_gone_at_the_end(tmp_path: Path) -> None:
    """In a process of its own: Ray keeps the token of a cluster that it started, and joins no other one after it."""
    asked = ["run", "niah", "--model", "window:300", "--lengths", "256", "--repeats", "1", "--depths", "0,1"]
    before = raylets()
    done = subprocess.run(
        [sys.executable, "-m", "mta_eval", *asked, "--out", "run", "--executor", "ray", "--replicas", "1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert len(read(tmp_path / "run")) == 2
    assert "ray" not in done.stdout.lower() + done.stderr.lower()
    assert raylets() <= before


def test_what_a_lost_node_was_asked_is_asked_elsewhere(cluster: Any, lose: Callable[[int], None]) -> None:
    asked = plan("mortal:300,seconds=0.05")
    with replica_pool(Cluster(cluster.address), asked) as pool:
        records = list(after(4, pool.run(asked), lambda: lose(1)))
    assert bare(records) == bare(list(runner.run(asked)))


def test_when_every_node_is_lost_the_run_ends_in_one_line_and_keeps_its_answers(
    cluster: Any, lose: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "WAIT_SECONDS", 5.0)
    asked = plan("mortal:300,seconds=0.05")
    records: list[Record] = []
    wanted = "no room for a replica in 5 seconds: 2 replicas of 1 CPU wanted, and the cluster has"
    with replica_pool(Cluster(cluster.address), asked) as pool, pytest.raises(ModelError, match=wanted):
        collect(records, after(4, pool.run(asked), lambda: lose(NODES)))
    expected = {record.sample_id: record for record in bare(list(runner.run(asked)))}
    assert 4 <= len(records) < len(expected)
    assert all(record == expected[record.sample_id] for record in bare(records))


def test_a_model_with_weights_answers_the_same(cluster: Any, llama_folder: Path) -> None:
    asked = plan(f"hf:{llama_folder},dtype=float32", sweep=Sweep((256,), (0.0, 1.0), 2))
    with replica_pool(Cluster(cluster.address), asked) as pool:
        records = list(pool.run(asked))
        assert pool.settings == {name: {"device": "cpu", "dtype": "float32"} for name in asked.models}
    assert bare(records) == bare(list(runner.run(asked)))


def test_a_model_that_kills_every_worker_ends_the_run_in_one_line(cluster: Any) -> None:
    asked = plan("mortal:300,fatal=niah")
    wanted = "6 workers died one after the other, and none gave an answer; the last: The actor is dead"
    with pytest.raises(ModelError, match=wanted), replica_pool(Cluster(cluster.address, replicas=1), asked) as pool:
        list(pool.run(asked))


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_a_run_that_is_stopped_leaves_no_ray_behind_and_goes_on(sent: int, code: int, tmp_path: Path) -> None:
    asked = [sys.executable, "-m", "mta_eval", "run", "niah", "--model", "mortal:300,seconds=0.5", "--lengths", "256"]
    asked += ["--depths", "0,0.5,1", "--repeats", "4", "--out", "run"]
    before = raylets()
    with subprocess.Popen([*asked, "--executor", "ray", "--replicas", "2"], cwd=tmp_path, stderr=-1, text=True) as run:
        until(lambda: (tmp_path / "run/records.jsonl").exists() and len(read(tmp_path / "run")) >= 2)
        run.send_signal(sent)
        _, said = run.communicate()
    assert run.returncode == code
    assert "Traceback" not in said
    until(lambda: raylets() <= before)
    kept = read(tmp_path / "run")
    assert 2 <= len(kept) < 12
    subprocess.run(asked, cwd=tmp_path, check=True, capture_output=True)
    assert len(read(tmp_path / "run")) == 12
    assert set(map(repr, kept)) <= set(map(repr, read(tmp_path / "run")))


def until(true: Callable[[], bool]) -> None:
    """Wait for it."""
    ends = time.monotonic() + 60
    while not true():
        assert time.monotonic() < ends
        time.sleep(0.1)


def after(count: int, records: Iterator[Record], do: Callable[[], None]) -> Iterator[Record]:
    """The records; when `count` of them have come, something is done."""
    for number, record in enumerate(records, 1):
        yield record
        if number == count:
            do()


def collect(records: list[Record], come: Iterator[Record]) -> None:
    """What came is kept even if it ends in an error."""
    for record in come:
        records.append(record)  # noqa: PERF402


def raylets() -> set[str]:
    listed = subprocess.run(["ps", "-eo", "pid=,comm="], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listed.splitlines() if line.split()[1] == "raylet"}
