"""The command line as people use it: what it prints, what it refuses, and how."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., tuple[int, str, str]]


WINDOW = ("--model", "window:300")
BAD: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown task": (("run", "nia", *WINDOW, "--out", "r"), "did you mean 'niah'"),
    "unknown model": (("run", "niah", "--model", "smolm2", "--out", "r"), "did you mean 'smollm2'"),
    "unknown option": (("run", "niah:needle=4", *WINDOW, "--out", "r"), "did you mean 'needles'"),
    "unknown haystack": (("run", "niah:haystack=prosa", *WINDOW, "--out", "r"), "did you mean 'prose'"),
    "unknown command": (("rnu",), "run"),
    "no model": (("run", "niah", "--out", "r"), "--model"),
    "no folder": (("run", "niah", *WINDOW), "--out"),
    "length too small": (("run", "niah", *WINDOW, "--lengths", "10", "--out", "r"), "this sample needs"),
    "length beyond the model": (
        ("run", "niah", "--model", "smollm2", "--lengths", "9k", "--out", "r"),
        "beyond the window of smollm2, 8192",
    ),
    "length is no number": (("run", "niah", *WINDOW, "--lengths", "2kk", "--out", "r"), "is no length"),
    "length beyond reason": (("run", "niah", *WINDOW, "--lengths", "99999999999", "--out", "r"), "beyond the 16m"),
    "haystack is a device": (("run", "niah:haystack=file:/dev/zero", *WINDOW, "--out", "r"), "neither a text file"),
    "length twice": (("run", "niah", *WINDOW, "--lengths", "1k,1024", "--out", "r"), "given twice"),
    "depth 1.5": (("run", "niah", *WINDOW, "--depths", "1.5", "--out", "r"), "outside 0"),
    "depth is no number": (("run", "niah", *WINDOW, "--depths", "deep", "--out", "r"), "is no depth"),
    "zero needles": (("run", "niah:needles=0", *WINDOW, "--out", "r"), "needles must be 1 to 20"),
    "more needles than fit": (
        ("run", "niah:needles=20", *WINDOW, "--lengths", "128", "--out", "r"),
        "niah:needles=20 does not fit length 128",
    ),
    "more asked than there are": (("run", "niah:asked=2", *WINDOW, "--out", "r"), "raise needles"),
    "needles is no number": (("run", "niah:needles=four", *WINDOW, "--out", "r"), "wants int"),
    "no repeats": (("run", "niah", *WINDOW, "--repeats", "0", "--out", "r"), "repeats"),
    "empty haystack": (("run", "niah:haystack=file:empty.txt", *WINDOW, "--out", "r"), "is empty"),
    "not UTF-8": (("run", "niah:haystack=file:latin.txt", *WINDOW, "--out", "r"), "not UTF-8 (byte 3)"),
    "missing haystack": (("run", "niah:haystack=file:nowhere", *WINDOW, "--out", "r"), "no such file or folder"),
    "folder without text": (("run", "niah:haystack=file:bare", *WINDOW, "--out", "r"), "holds no .txt"),
    "missing model folder": (("run", "niah", "--model", "hf:/no/where", "--out", "r"), "no file or folder"),
    "folder without model": (("run", "niah", "--model", "hf:./bare", "--out", "r"), "cannot load the model"),
    "tokenizer cannot answer": (("run", "niah", "--model", "tokenizer:./bare", "--out", "r"), "generates no answers"),
    "missing run": (("report", "nowhere"), "there is no run folder 'nowhere'"),
    "qa 11": (("run", "babilong:qa=11", *WINDOW, "--out", "r"), "qa must be 1 to 10"),
    "babilong file missing": (("run", "babilong:source=file:nowhere", *WINDOW, "--out", "r"), "no such file"),
    "no choices": (("run", "niah:needles=2,asked=2", *WINDOW, "--answer", "choose", "--out", "r"), "no choices"),
    "no chat template": (("run", "niah:prompt=chat", *WINDOW, "--out", "r"), "no chat template"),
    "fixed blocks and a length": (
        ("run", "letter_blocks:blocks=5", *WINDOW, "--lengths", "1k", "--out", "r"),
        "--lengths 0",
    ),
    "out is a file": (
        ("run", "niah", *WINDOW, "--lengths", "256", "--out", "empty.txt"),
        "cannot write the run folder",
    ),
    "export to nowhere": (("export", "niah", *WINDOW, "--lengths", "256", "--out", "no/where.jsonl"), "cannot write"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(case: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "latin.txt").write_bytes("Caf\xe9. Is open.".encode("latin-1"))
    (tmp_path / "bare").mkdir()
    arguments, named = BAD[case]
    code, out, err = call(*arguments)
    assert code == 2
    assert named in err
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in out + err


def test_a_read_only_folder_is_refused_with_one_line(tmp_path: Path) -> None:
    """As an ordinary user, whatever the tests run as."""
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o555)
    command = [sys.executable, "-m", "mta_eval", "run", "niah", *WINDOW, "--lengths", "256", "--out", str(folder / "r")]
    drop = None
    if os.geteuid() == 0:
        for part in (tmp_path, *tmp_path.parents):
            if part.stat().st_uid == 0 and not part.stat().st_mode & 0o005:
                pytest.skip("the temporary folder is closed to ordinary users")
        drop = 65534
    done = subprocess.run(command, capture_output=True, text=True, user=drop, check=False, cwd="/")
    if "Permission denied" in done.stderr and "python" in done.stderr.splitlines()[0]:
        pytest.skip("ordinary users cannot run this interpreter")
    assert (done.returncode, len(done.stderr.strip().splitlines())) == (2, 1)
    assert "cannot write the run folder" in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_one_line(call: Call) -> None:
    code, _, err = call("export", "niah", *WINDOW, "--lengths", "256", "--out", "/dev/full/x.jsonl")
    assert (code, len(err.strip().splitlines())) == (2, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_what_cannot_be_printed_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "mta_eval", "--help"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "mta-eval: cannot write: No space left on device\n")


def test_list_names_every_task_and_model_with_options_and_defaults(call: Call) -> None:
    code, out, _ = call("list")
    assert code == 0
    for name in (
        "letter_blocks",
        "niah",
        "babilong",
        "passkey",
        "window",
        "hf",
        "smollm2",
        "tokenizer",
        "letter-blocks-mta",
    ):
        assert f"\n  {name} " in out
    assert "(42 | 43 | 44)" in out
    assert "needles" in out
    assert call("list", "tasks")[1].count("MODELS") == 0


def test_show_as_json_has_what_other_people_need(call: Call) -> None:
    code, out, _ = call("show", "niah:needles=4", *WINDOW, "--length", "512", "--depth", "0.5", "--json")
    assert code == 0
    sample = json.loads(out)
    wanted = {"id", "task", "prompt", "targets", "choices", "axes", "length", "prompt_tokens", "max_new_tokens", "chat"}
    assert wanted | {"needles"} <= sample.keys()
    assert {"key", "value", "text", "token_start", "token_end", "depth", "asked"} == sample["needles"][0].keys()
    assert sample["chat"] is None
    assert sample["prompt_tokens"] + sample["max_new_tokens"] in range(508, 513)


def test_show_for_people_ends_with_the_needles(call: Call) -> None:
    out = call("show", "passkey", *WINDOW, "--length", "256", "--depth", "0")[1]
    assert "The pass key is\n" in out
    assert "needle (tokens " in out


def test_export_writes_one_sample_a_line_the_same_as_show(call: Call, tmp_path: Path) -> None:
    code, out, _ = call(
        *("export", "niah:needles=2", *WINDOW, "--lengths", "256,512", "--depths", "0,1", "--repeats", "2"),
        *("--seed", "3", "--out", "samples.jsonl"),
    )
    assert code == 0
    assert "8 samples" in out
    lines = [json.loads(line) for line in (tmp_path / "samples.jsonl").read_text().splitlines()]
    assert len(lines) == 8
    show = (
        "show",
        "niah:needles=2",
        *WINDOW,
        "--length",
        "512",
        "--depth",
        "1",
        "--repeat",
        "1",
        "--seed",
        "3",
        "--json",
    )
    about = {"rule", "seed", "tokenizer"}
    assert json.loads(call(*show)[1]) in [{name: line[name] for name in line.keys() - about} for line in lines]


def test_a_failed_export_leaves_nothing_behind(call: Call, tmp_path: Path) -> None:
    assert call("export", "niah", *WINDOW, "--lengths", "512,8", "--out", "samples.jsonl")[0] == 2
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_counts_and_estimates_and_writes_nothing(call: Call, tmp_path: Path) -> None:
    code, out, _ = call("run", "niah", "passkey", *WINDOW, "--lengths", "256,512", "--repeats", "4", "--dry-run")
    assert code == 0
    assert "80 samples, about" in out
    assert list(tmp_path.iterdir()) == []


def test_a_run_goes_on_and_another_question_is_refused(call: Call, tmp_path: Path) -> None:
    run = ("run", "niah", *WINDOW, "--lengths", "256", "--repeats", "2", "--out", "r")
    assert call(*run)[0] == 0
    before = (tmp_path / "r" / "records.jsonl").read_bytes()
    assert call(*run)[0] == 0
    code, _, err = call(*run, "--answer", "choose")
    assert code == 2
    assert "answer was generate, now choose" in err
    assert (tmp_path / "r" / "records.jsonl").read_bytes() == before


def test_a_changed_text_file_is_noticed_when_a_prompt_is_made_again(call: Call, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("One fine day. " * 200)
    call("run", "niah:haystack=file:text.txt", *WINDOW, "--lengths", "256", "--repeats", "1", "--out", "r")
    sample = "niah:haystack=file:text.txt/256/0.50/0"
    assert call("show", "r", sample)[0] == 0
    (tmp_path / "text.txt").write_text("Another fine day. " * 200)
    done = subprocess.run(
        [sys.executable, "-m", "mta_eval", "show", "r", sample],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert "has its text file changed?" in done.stderr


def test_the_version_is_printed(call: Call) -> None:
    assert call("--version")[1].startswith("mta-eval 0.")


def test_a_changed_text_file_stops_a_run_that_goes_on(tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("One fine day. " * 200)
    run = (sys.executable, "-m", "mta_eval", "run", "niah:haystack=file:text.txt", *WINDOW, "--lengths", "256")
    command = [*run, "--repeats", "1", "--out", "r"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    records = tmp_path / "r" / "records.jsonl"
    records.write_text("".join(records.read_text().splitlines(keepends=True)[:-1]))
    before = records.read_bytes()
    (tmp_path / "text.txt").write_text("Another fine day. " * 200)
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "has its text file changed?" in done.stderr
    assert records.read_bytes() == before


def test_an_export_replaces_no_device_and_no_folder(call: Call, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        assert call("export", "niah", *WINDOW, "--lengths", "256", "--out", name)[0] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe"}
    (tmp_path / "link").symlink_to(tmp_path / "target")
    assert call("export", "niah", *WINDOW, "--lengths", "256", "--out", "link")[0] == 0
    assert (tmp_path / "link").is_symlink()
    assert len((tmp_path / "target").read_text().splitlines()) == 5


def test_an_unfinished_run_is_reported_as_such(call: Call, tmp_path: Path) -> None:
    call("run", "niah", *WINDOW, "--lengths", "256,512", "--repeats", "1", "--out", "r")
    records = tmp_path / "r" / "records.jsonl"
    records.write_text("".join(records.read_text().splitlines(keepends=True)[:6]))
    code, _, err = call("report", "r")
    assert code == 0
    assert "4 samples are missing" in err
    assert "6 of 10 samples" in (tmp_path / "r" / "report" / "report.html").read_text()


def test_a_cut_prompt_is_shown_as_it_was_asked(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    from mta_eval.models.window import Window

    monkeypatch.setattr(Window, "max_length", 200)
    run = ("run", "niah", *WINDOW, "--lengths", "256", "--repeats", "1", "--out", "r")
    assert call(*run)[0] == 2
    assert call(*run, "--over-length", "mark")[0] == 0
    shown = json.loads(call("show", "r", "niah/256/1.00/0", "--json")[1])
    assert shown["truncated"]
    assert shown["prompt_tokens"] + shown["max_new_tokens"] == 200
    assert [needle["text"] in shown["prompt"] for needle in shown["needles"]] == [True]
    assert json.loads(call("show", "r", "niah/256/0.00/0", "--json")[1])["needles"] == []


def test_mta_eval_alone_shows_its_help(call: Call) -> None:
    code, out, _ = call()
    assert (code, out.startswith("Usage:")) == (0, True)
