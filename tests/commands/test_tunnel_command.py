"""mta-eval tunnel, as people use it, on trainings of seconds."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest
from tiny_tunnel import TINY

from mta_eval import registry
from mta_eval.tunnel import presets, training_run

Call = Callable[..., tuple[int, str, str]]
PLUGIN = str(Path(__file__).parents[1] / "helpers/plugin_package/alibi.py")
ONE = ("--tasks", "copy:length=2,kinds=3", "--jobs", "1", "--device", "cpu")

LINEAR = Path(__file__).parents[1] / "helpers/one_file_variants/linear.py"


@pytest.fixture(autouse=True)
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(presets.PRESETS, "laptop", TINY)
    monkeypatch.setitem(registry.ADDED, "attention", {})


@pytest.mark.usefixtures("quick_pdfs")
def test_a_file_is_put_through_the_tunnel_and_again(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = call("tunnel", PLUGIN, "--against", "transformer", *ONE, "--seeds", "1", "--out", "made")
    assert code == 0, err
    names = ["tunnel.json", "tunnel.md", "tunnel.png", "attention_copy_length_2_kinds_3.png", "tunnel.html"]
    assert out.splitlines()[-5:] == [f"made/{name}" for name in names]
    assert all(Path("made", name).stat().st_size for name in names)
    assert "copy at length 2" in out.splitlines()[0]
    assert err.count("[6/6]") == 1
    assert "tiny." in err
    assert "One seed: " in err
    found = json.loads(Path("made/tunnel.json").read_text())
    assert [one["name"] for one in found["variants"]] == ["alibi", "transformer"]
    assert (found["preset"], found["protocol"]["seeds"]) == ("laptop", 1)
    before = Path("made/tunnel.md").read_text()
    monkeypatch.setattr(training_run, "train_in_folder", None)
    assert call("tunnel", PLUGIN, "--against", "transformer", *ONE, "--seeds", "1", "--out", "made")[0] == 0
    assert Path("made/tunnel.md").read_text() == before


def test_a_plan_is_timed_and_nothing_is_written(call: Call) -> None:
    code, out, err = call(
        "tunnel",
        PLUGIN,
        "--dry-run",
        "--jobs",
        "2",
        "--tasks",
        "order:items=2,questions=1,kinds=8,copy:length={3,4}",
        "--out",
        "made",
    )
    assert code == 0, err
    lines = out.splitlines()
    assert lines[0].split()[:3] == ["task", "variant", "parameters"]
    assert [line.split()[:2] for line in lines[1:5]] == [
        ["order:items=2,questions=1,kinds=8", "ALiBi"],
        ["order:items=2,questions=1,kinds=8", "Transformer"],
        ["copy:length=3", "ALiBi"],
        ["copy:length=3", "Transformer"],
    ]
    assert [line.split()[0] for line in lines[5:7]] == ["copy:length=4"] * 2
    assert lines[7].startswith("24 trainings: about ")
    assert "2 at once" in lines[7]
    assert not Path("made").exists()


def test_a_variant_that_cannot_say_its_weights_has_all_but_maps(call: Call) -> None:
    Path("linear.py").write_bytes(LINEAR.read_bytes())
    code, out, err = call("tunnel", "linear.py", *ONE, "--seeds", "1", "--learning-rates", "1e-3", "--out", "made")
    assert code == 0, err
    assert "no attention maps of 'linear': its weights cannot be made: NotImplementedError" in err
    assert out.splitlines()[-2:] == ["made/tunnel.png", "made/tunnel.html"]
    page = Path("made/tunnel.html").read_text()
    assert "no attention maps of &#39;linear&#39;: its weights cannot be made: NotImplementedError" in page
    assert "tunnel linear.py" in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("broken_attention:NoMask",), "'no_mask' is refused before training: it is not causal: "),
        (("nowhere.py",), "cannot read the variant"),
        (("mta", "--against", "tranformer"), "did you mean 'transformer'"),
        (("mta", "--tasks", "copy:lenght=3"), "did you mean 'length'"),
        (("mta", "--learning-rates", "fast"), "--learning-rates 'fast': 'fast' is no number"),
        (("mta", "--learning-rates", "0"), "learning rates are different numbers above 0"),
        (("mta:query_kernel=2",), "the variant 'mta' has no option 'query_kernel'"),
        (("mta", "--against", "transformer:gate=vector,norm=flat"), "norm cannot be 'flat'"),
        (("mta", "--device", "abacus"), "no device 'abacus' here"),
    ],
)
def test_what_cannot_be_trained_is_one_line(arguments: tuple[str, ...], message: str, call: Call) -> None:
    code, out, err = call("tunnel", *arguments, "--out", "made")
    assert (code, out) == (2, "")
    assert message in err.splitlines()[-1]
    assert not Path("made").exists()


def test_a_folder_of_something_else_is_refused(call: Call) -> None:
    training = Path("made/copy-length=2,kinds=3/mta/sweep-rate-0.001")
    training.mkdir(parents=True)
    (training / "notes.txt").write_text("mine")
    code, _, err = call("tunnel", "mta", *ONE, "--out", "made")
    assert code == 2
    assert "is there already; name a new folder" in err
    assert (training / "notes.txt").read_text() == "mine"


def test_diagnostic_tasks_are_listed_and_shown(call: Call) -> None:
    listed = call("list", "diagnostics")[1]
    assert listed.startswith("DIAGNOSTICS\n  letter_blocks ")
    assert "      distance             1 " in listed
    shown = call("list", "two_condition_recall")[1]
    assert "Options:" in shown
    assert "facts                8" in shown


def test_a_task_of_another_package_is_listed(call: Call, plugin: Callable[[str, str, str], None]) -> None:
    plugin("mta_eval.diagnostics", "twice", "mta_eval.tunnel.rows.copying:CopyRows")
    assert "\n  twice " in call("list", "diagnostics")[1]
    assert registry.build_diagnostic("twice:length=3").vocabulary == 27


SCRIPT = """
import sys
sys.path.insert(0, {helpers!r})
from tiny_tunnel import TINY
from mta_eval.tunnel import presets
from mta_eval.cli import main
if __name__ == "__main__":
    presets.PRESETS["laptop"] = TINY
    sys.argv = ["mta-eval", "tunnel", {plugin!r}, *{options!r}, "--out", sys.argv[1]]
    main()
"""


@pytest.mark.slow
def test_a_killed_tunnel_goes_on_as_if_nothing_had_been(tmp_path: Path) -> None:
    """All of it by SIGKILL, at random moments, with two processes at once."""
    helpers = str(Path(__file__).parents[1] / "helpers")
    options = ["--tasks", "copy:length=2,kinds=3", "--jobs", "2", "--device", "cpu", "--steps", "40", "--seeds", "1"]
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(helpers=helpers, plugin=PLUGIN, options=options))

    def start(out: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, str(script), str(tmp_path / out)], stderr=subprocess.DEVNULL)

    assert start("whole").wait() == 0
    for _ in range(3):
        process = start("killed")
        time.sleep(Random().uniform(5, 15))
        process.kill()
        process.wait()
    deadline = time.monotonic() + 120
    while start("killed").wait() and time.monotonic() < deadline:  # a worker may still be ending
        time.sleep(0.2)
    whole, again = (_without_times((tmp_path / out / "tunnel.json").read_text()) for out in ("whole", "killed"))
    assert again == whole


def _without_times(text: str) -> str:
    return re.sub(r'"(seconds_per_step|command)": .*', "", text)
