"""The recipes of docs/guides/clusters.md: their syntax, and that mta-eval takes the commands in them."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from mta_eval.cli import app

TEXT = (Path(__file__).parent.parent.parent / "docs/guides/clusters.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, flags=re.M | re.S)
SHELL = [text for language, text in BLOCKS if language == "bash"]
SCRIPTS = [text for text in SHELL if text.startswith("#!/bin/bash")]
MANIFESTS = [document for language, text in BLOCKS if language == "yaml" for document in yaml.safe_load_all(text)]
SET_BY_SLURM = {"$SLURM_ARRAY_TASK_ID": "3", "$length": "8k", "$address:$port": "10.0.0.1:20001"}


def commands() -> list[list[str]]:
    """Every mta-eval command of the scripts, the manifests and the blocks between them."""
    lines = [line for text in SHELL for line in text.replace("\\\n", " ").splitlines()]
    split = [shlex.split(line) for line in lines if line.startswith("mta-eval")]
    for manifest in MANIFESTS:
        if manifest["kind"] == "RayJob":
            split.append(shlex.split(manifest["spec"]["entrypoint"]))
        if manifest["kind"] == "Job":
            split.append(manifest["spec"]["template"]["spec"]["containers"][0]["command"])
    return split


def test_every_block_is_a_script_or_a_manifest() -> None:
    assert [language for language, _ in BLOCKS] == ["bash"] * 5 + ["yaml"] * 2


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_is_one_that_bash_can_read(script: str) -> None:
    read = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (read.returncode, read.stderr) == (0, "")
    assert script.startswith("#!/bin/bash\n#SBATCH ")


def test_every_manifest_is_whole() -> None:
    assert [manifest["kind"] for manifest in MANIFESTS] == ["RayJob", "Deployment", "Service", "Job"]
    assert all(manifest["apiVersion"] and manifest["metadata"]["name"] for manifest in MANIFESTS)


def test_every_volume_that_a_container_mounts_is_there() -> None:
    pods = [pod for manifest in MANIFESTS for pod in pods_of(manifest)]
    assert len(pods) == 4
    for pod in pods:
        mounted = {mount["name"] for container in pod["containers"] for mount in container["volumeMounts"]}
        assert mounted == {volume["name"] for volume in pod["volumes"]}


def pods_of(tree: Any) -> list[dict[str, Any]]:
    if isinstance(tree, list):
        return [pod for part in tree for pod in pods_of(part)]
    if not isinstance(tree, dict):
        return []
    return ([tree] if "containers" in tree else []) + [pod for part in tree.values() for pod in pods_of(part)]


def test_mta_eval_takes_every_command() -> None:
    found = commands()
    assert [command[1] for command in found] == ["run", "run", "run", "report", "run", "run", "run"]
    for _, name, *arguments in found:
        known = get_command(app).commands[name]  # type: ignore[attr-defined]
        known.make_context(name, [SET_BY_SLURM.get(argument, argument) for argument in arguments])


def test_jobs_of_an_array_are_one_model_when_they_are_read(call: Callable[..., tuple[int, str, str]]) -> None:
    for length in ("256", "512"):
        asked = ("--model", "window:300", "--lengths", length, "--depths", "0,1", "--repeats", "2")
        assert call("run", "niah", *asked, "--out", f"runs/{length}")[0] == 0
    code, table, said = call("table", "runs/256", "runs/512", "--x", "length", "--y", "model", "--form", "csv")
    assert code == 0, said
    rows = list(csv.DictReader(table.splitlines()))
    assert [(row["model"], row["length"]) for row in rows] == [("window:300", "256"), ("window:300", "512")]
