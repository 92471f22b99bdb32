"""`server:` and servers of others, where they are installed (`make test-vllm`): vLLM's, and llama.cpp's by xllamacpp.

All of them run the same tiny model in float32, and answer as `hf` does. (vLLM's server withholds an answer's last
character while it is not whole, which random weights end in often.)
"""

from __future__ import annotations

import importlib.util
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from tiny_llama import WINDOW, save_gguf, save_llama

from mta_eval.core import Answer, Sample, Sweep
from mta_eval.errors import ModelError
from mta_eval.models.hf import HuggingFace
from mta_eval.models.http_failures import ServerError
from mta_eval.models.named_tokenizer import NamedTokenizer
from mta_eval.models.server import Server
from mta_eval.registry import build_task

TASKS = ("niah:needles=2", "passkey", "passkey:prompt=chat")
SWEEP = Sweep((256, 512), (0.0, 1.0), 2)
START = 240  # seconds that a server may take until it answers
TOLERANCE = 1e-3  # nats, summed over the tokens of an answer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    return save_llama(tmp_path_factory.mktemp("llama"), tokenizer_folder)


@pytest.fixture(scope="module")
def hf(folder: Path) -> HuggingFace:
    return HuggingFace(str(folder), "float32", "cpu")


def samples_of(hf: HuggingFace, task: str) -> list[Sample]:
    made = build_task(task)
    return [made.sample(cell, 0, hf.tokenizer) for cell in SWEEP.cells()]


@pytest.fixture(scope="module")
def vllm_url(folder: Path) -> Iterator[str]:
    """vLLM's own server of the model, in a process of its own, on loopback."""
    if importlib.util.find_spec("vllm") is None:
        pytest.skip("vLLM is not installed here: make test-vllm")
    port = free_port()
    settings = {"--dtype": "float32", "--gpu-memory-utilization": "0.3", "--host": "127.0.0.1", "--port": str(port)}
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), "--enforce-eager"]
    log = folder / "server.log"
    with log.open("w") as file, pytest.MonkeyPatch.context() as environment:
        for name, value in (("VLLM_NO_USAGE_STATS", "1"), ("VLLM_CPU_KVCACHE_SPACE", "1")):
            environment.setenv(name, value)
        server = subprocess.Popen(
            [*command, *(part for item in settings.items() for part in item)], stdout=file, stderr=file
        )
        try:
            wait_for(port, server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(30)


@pytest.fixture(scope="module")
def llama_cpp_url(folder: Path) -> Iterator[str]:
    """llama.cpp's server, on threads of this process."""
    xllamacpp = pytest.importorskip("xllamacpp", reason="xllamacpp is not installed here: make test-vllm")
    params = xllamacpp.CommonParams()
    params.model.path = str(save_gguf(folder))
    params.n_parallel = 2
    params.n_ctx = params.n_parallel * WINDOW
    params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED  # it rounds
    params.cache_prompt = False  # so does a prompt that is read in other pieces
    params.verbosity = 0
    params.ui = False
    server = xllamacpp.Server(params)
    yield server.listening_address
    del server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            time.sleep(0.5)
    pytest.fail(f"the server did not start: {log.read_text()[-2000:]}")


def whole(answers: Iterable[Answer]) -> list[tuple[str, str]]:
    """Text and finish; how many tokens are made beyond a stop string is each server's own."""
    return [(answer.text.rstrip("\N{REPLACEMENT CHARACTER}"), answer.finish) for answer in answers]


def connect(url: str, hf: HuggingFace, **options: str) -> Server:
    return Server(url, tokenizer=NamedTokenizer(hf.path), **options)  # type: ignore[arg-type]


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_vllm_answers_as_hf_does_however_it_is_asked(vllm_url: str, hf: HuggingFace, task: str) -> None:
    samples = samples_of(hf, task)
    expected = whole(hf.generate(samples))
    assert len(set(expected)) > 1
    for options in ({}, {"send": "text"}, {"api": "completion"}, {"api": "completion", "send": "text"}):
        assert whole(connect(vllm_url, hf, **options).generate(samples)) == expected, options


@pytest.mark.slow
def test_vllm_says_what_it_is(vllm_url: str, hf: HuggingFace) -> None:
    server = connect(vllm_url, hf)
    assert server.max_length == WINDOW
    assert server.describe()["server"].startswith("vllm 0.")


@pytest.mark.slow
@pytest.mark.parametrize("send", ["ids", "text"])
def test_vllm_finds_texts_as_likely_as_hf_does(vllm_url: str, hf: HuggingFace, send: str) -> None:
    samples, server = samples_of(hf, TASKS[0]), connect(vllm_url, hf, send=send)
    pairs = [(sample, text) for sample in samples[::2] for text in (" 1234567", "x", " two words")]
    assert server.loglikelihood(pairs) == pytest.approx(hf.loglikelihood(pairs), abs=TOLERANCE)
    for found, expected in zip(server.token_loglikelihoods(samples), hf.token_loglikelihoods(samples), strict=True):
        assert found == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("task", TASKS)
def test_llama_cpp_answers_as_hf_does_however_it_is_asked(llama_cpp_url: str, hf: HuggingFace, task: str) -> None:
    samples = samples_of(hf, task)
    expected = whole(hf.generate(samples))
    for options in ({}, {"send": "text"}, {"api": "completion"}):
        assert whole(connect(llama_cpp_url, hf, **options).generate(samples)) == expected, options


def test_the_second_bos_that_llama_cpp_puts_before_a_rendered_chat_is_found(
    llama_cpp_url: str, hf: HuggingFace
) -> None:
    chat = samples_of(hf, "passkey:prompt=chat")[:1]
    with pytest.raises(ServerError, match="it put BOS twice"):
        list(connect(llama_cpp_url, hf, api="completion", send="text").generate(chat))


def test_llama_cpp_says_what_it_is_and_that_it_gives_no_loglikelihoods(llama_cpp_url: str, hf: HuggingFace) -> None:
    server = connect(llama_cpp_url, hf)
    assert server.max_length == WINDOW
    assert server.describe()["server"].startswith("llamacpp ")
    with pytest.raises(ModelError, match="gives no prompt log-probabilities"):
        server.loglikelihood([(samples_of(hf, TASKS[0])[0], " 1")])
