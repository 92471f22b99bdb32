from __future__ import annotations

import http.client
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mta_eval.core import Record, Run, Sweep
from mta_eval.errors import SpecError, StoreError
from mta_eval.results.store import RunFolder
from mta_eval.results.view.bundle import write_bundle
from mta_eval.results.view.serving import ViewServer
from mta_eval.results.view.shelf import Shelf

SWEEP = Sweep((512,), (0.5,), 4)


def write(folder: Path, model: str, right: int, count: int = 4) -> None:
    run = Run(("niah",), (model,), SWEEP, "generate", "refuse", "0", {}, environment={"samples": 4})
    with RunFolder(folder, run) as opened:
        for repeat in range(count):
            axes = {"length": 512, "depth": 0.5, "repeat": repeat}
            sample_id, score = f"niah/512/0.50/{repeat}", float(repeat < right)
            opened.append(Record(sample_id, "niah", model, axes, ["7"], "7", score, 9, 9, 0.1, prompt_sha256="0"))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    write(tmp_path / "runs" / "first", "a", 4)
    write(tmp_path / "runs" / "deep" / "<b>second", "b", 0, count=3)
    (tmp_path / "runs" / "damaged").mkdir()
    (tmp_path / "runs" / "damaged" / "run.json").write_text("{")
    return tmp_path / "runs"


@pytest.fixture
def server(runs: Path) -> Iterator[ViewServer]:
    with ViewServer(Shelf(runs, 5)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def ask(server: ViewServer, path: str, method: str = "GET", host: str | None = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request(method, path, headers={"Host": host or f"localhost:{server.server_port}"})
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_the_index_lists_runs_and_ranks_models(runs: Path) -> None:
    page = Shelf(runs).index()
    assert "a (100 % [" in page
    assert 'href="run/first.html"' in page
    assert "3 of 4" in page
    assert "unfinished" in page
    assert "is damaged" in page
    assert "<b>second" not in page
    assert 'http-equiv="refresh"' not in page


def test_pages_load_again_while_a_run_goes_on(runs: Path) -> None:
    shelf = Shelf(runs, 7)
    run = Run(("niah",), ("a",), SWEEP, "generate", "refuse", "0", {}, environment={"samples": 4})
    with RunFolder(runs / "first", run):
        index, page = shelf.index(), shelf.page("run/first.html")
        assert page
        assert 'http-equiv="refresh" content="7"' in index
        assert 'http-equiv="refresh" content="7"' in page
        assert "going on" in index
    assert 'http-equiv="refresh"' not in shelf.index()


def test_a_page_is_kept_until_its_run_grows(runs: Path) -> None:
    shelf = Shelf(runs)
    first = shelf.page("run/first.html")
    assert first is shelf.page("run/first.html")
    with (runs / "first" / "records.jsonl").open() as file:
        line = json.loads(file.readline())
    (runs / "first" / "records.jsonl").write_text(json.dumps(line) + "\n")
    grown = shelf.page("run/first.html")
    assert grown
    assert grown != first
    assert 'href="../index.html"' in grown


def test_a_page_is_served_to_this_machine(server: ViewServer) -> None:
    status, page = ask(server, "/")
    assert (status, ">Leaderboard<" in page) == (200, True)
    assert ask(server, "/run/first.html?x=1")[0] == 200
    assert ask(server, "/index.html", host=f"127.0.0.1:{server.server_port}")[0] == 200


@pytest.mark.parametrize(
    "path", ["/run/../../first/run.json", "/run/first", "/first/run.json", "/run/%2e%2e/x", "//etc/passwd"]
)
def test_no_other_address_is_answered(server: ViewServer, path: str) -> None:
    assert ask(server, path) == (404, "There is no such page.")


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "127.0.0.1.evil:{port}"]
)
def test_another_host_is_refused(server: ViewServer, host: str) -> None:
    status, text = ask(server, "/", host=host.format(port=server.server_port))
    assert (status, "Leaderboard" in text) == (403, False)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_but_get_is_answered(server: ViewServer, method: str) -> None:
    assert ask(server, "/", method)[0] == 501


def test_a_damaged_run_is_told_of_in_one_line(server: ViewServer) -> None:
    status, text = ask(server, "/run/damaged.html")
    assert (status, "is damaged" in text, len(text.splitlines())) == (500, True, 1)


def test_the_server_listens_on_loopback_alone_and_a_taken_port_is_refused(server: ViewServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    with pytest.raises(SpecError, match="name another with --port"):
        ViewServer(server.shelf, server.server_port)


def test_a_bundle_is_the_same_as_files(runs: Path, tmp_path: Path) -> None:
    (runs / "damaged" / "run.json").unlink()
    written = write_bundle(Shelf(runs), tmp_path / "out")
    assert [path.relative_to(tmp_path / "out").as_posix() for path in written] == [
        "index.html",
        "run/deep_b_second.html",
        "run/first.html",
    ]
    links = re.findall(r'href="(run/[^"]+)"', written[0].read_text())
    assert links
    assert all((tmp_path / "out" / link).is_file() for link in links)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no folder"):
        Shelf(tmp_path / "nowhere")
