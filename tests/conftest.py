"""Tokenizers of every common build, trained here in seconds, and `audit`: what must hold of every finished sample.

Nothing is downloaded: they learn from our own generated prose, city names, digits and uuids.
"""

from __future__ import annotations

import logging
import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before anything of Hugging Face is imported
os.environ["HF_DATASETS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "true"
os.environ["OMP_NUM_THREADS"] = "1"  # small tensors are many times slower on threads that wait for one another
os.environ["TQDM_DISABLE"] = "1"  # as the command line does
os.environ["MTA_EVAL_TOKEN_CACHE"] = "off"  # tests never touch the user's
os.environ.pop("COLUMNS", None)  # xdist gives its workers one, and tables of pipes would be as narrow

import re
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from mta_eval.core import Sample, generator
from mta_eval.models.tokenizer import FastTokenizer
from mta_eval.tasks.prompts import pools, prose

Call = Callable[..., tuple[int, str, str]]
NAMES = ("byte_bpe", "unigram", "characters", "llama2_like", "llama3_like", "superword")
LOCAL = NAMES[:-1]
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n{{ message['content'] | trim }}</s>\n"
    "{% endfor %}{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)


@pytest.fixture(scope="session")
def corpus() -> list[str]:
    """Prose as running text, and everything that a needle may say."""
    random = generator(0, "corpus")
    texts = ["".join(prose.write_prose(random)) for _ in range(24)]
    texts += [f"The magic number of {city} is {random.randrange(10**6, 10**7)}." for city in pools.CITIES]
    texts += [f"The magic word of {city} is {random.choice(pools.WORDS)}.\n\n" for city in pools.CITIES]
    texts += [f"{uuid.UUID(int=random.getrandbits(128), version=4)}" for _ in range(60)]
    return [
        *texts,
        "Question: What are the magic codes? Answer with the code alone.\nAnswer:",
        "0123456789abcdef()'’“”;!?",
    ]


def starting_with_bos(tokenizer: Tokenizer) -> Tokenizer:
    bos = tokenizer.token_to_id("<s>")
    template = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", bos)])
    tokenizer.post_processor = template
    return tokenizer


def bpe(corpus: list[str], pre_tokenizer: Any, vocabulary: int, alphabet: list[str], **options: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizer
    special = ["<unk>", "<s>", "</s>"]
    tokenizer.train_from_iterator(
        corpus,
        trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=special, initial_alphabet=alphabet, show_progress=False, **options
        ),
    )
    return tokenizer


@pytest.fixture(scope="session")
def byte_bpe(corpus: list[str]) -> FastTokenizer:
    """GPT-2's build, with BOS."""
    tokenizer = bpe(corpus, pre_tokenizers.ByteLevel(add_prefix_space=False), 2000, pre_tokenizers.ByteLevel.alphabet())
    tokenizer.decoder = decoders.ByteLevel()
    return FastTokenizer(starting_with_bos(tokenizer), "byte_bpe")


@pytest.fixture(scope="session")
def unigram(corpus: list[str]) -> FastTokenizer:
    """sentencepiece's other model: Unigram behind NFKC and Metaspace; white space is one space, EOS after (T5)."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(r"\s+"), " ")])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(prepend_scheme="always")
    trainer = trainers.UnigramTrainer(
        vocab_size=1500, special_tokens=["<unk>", "</s>"], unk_token="<unk>", show_progress=False
    )
    tokenizer.train_from_iterator(corpus, trainer)
    eos = tokenizer.token_to_id("</s>")
    tokenizer.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", eos)])
    return FastTokenizer(tokenizer, "unigram")


@pytest.fixture(scope="session")
def characters(corpus: list[str]) -> FastTokenizer:
    """One character, one token."""
    alphabet = sorted(set("".join(corpus)))
    vocabulary = {character: index for index, character in enumerate(["<unk>", *alphabet])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    return FastTokenizer(tokenizer, "characters")


@pytest.fixture(scope="session")
def llama2_like(corpus: list[str]) -> FastTokenizer:
    """Llama-2's build: a space is a normalised sign, no pre-tokenizer, merges stay inside words all the same."""
    lines = [line for text in corpus for line in text.splitlines() if line]
    tokenizer = bpe(lines, pre_tokenizers.Metaspace(prepend_scheme="first"), 2000, ["\n"])
    tokenizer.pre_tokenizer = None
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return FastTokenizer(starting_with_bos(tokenizer), "llama2_like")


@pytest.fixture(scope="session")
def llama3_like(corpus: list[str]) -> FastTokenizer:
    """Llama-3's build: digits by threes, punctuation takes the line ends that follow."""
    split = pre_tokenizers.Split(Regex(LLAMA3), "isolated")
    bytes_ = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    sequence = pre_tokenizers.Sequence([split, bytes_])
    tokenizer = bpe(corpus, sequence, 2000, pre_tokenizers.ByteLevel.alphabet())
    tokenizer.decoder = decoders.ByteLevel()
    return FastTokenizer(starting_with_bos(tokenizer), "llama3_like")


@pytest.fixture(scope="session")
def superword(corpus: list[str]) -> FastTokenizer:
    """No pre-tokenizer at all: merges run across words and sentences, so counts of parts do not add up."""
    pieces = [text[start : start + 600] for text in corpus for start in range(0, len(text), 600)]
    tokenizer = bpe(pieces, None, 1500, [], max_token_length=24)
    tokenizer.decoder = decoders.Fuse()
    return FastTokenizer(starting_with_bos(tokenizer), "superword")


@pytest.fixture(scope="session", params=NAMES)
def tokenizer(request: pytest.FixtureRequest) -> FastTokenizer:
    """Each of them in turn."""
    found: FastTokenizer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session", params=LOCAL)
def local_tokenizer(request: pytest.FixtureRequest) -> FastTokenizer:
    """Each whose tokens keep to their sentences."""
    found: FastTokenizer = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def tokenizer_folder(byte_bpe: FastTokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """byte_bpe saved as Hugging Face folders are, with a chat template that spells BOS out."""
    from transformers import PreTrainedTokenizerFast

    folder: Path = tmp_path_factory.mktemp("tokenizer")
    backend = Tokenizer.from_str(byte_bpe._backend.to_str())
    owner = PreTrainedTokenizerFast(tokenizer_object=backend, bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    owner.chat_template = TEMPLATE
    owner.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> Path:
    """A tiny Llama of random weights with a real tokenizer, as transformers writes it."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    made = tmp_path_factory.mktemp("llama")
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.save_pretrained(made)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=64,
            intermediate_size=128,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=1024,
            initializer_range=0.3,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        LlamaForCausalLM(config).save_pretrained(made)
    return made


@pytest.fixture(autouse=True, scope="session")
def _logs_of_libraries_imported_under_capture() -> None:
    """A library that is first imported within a test logs to that test's stderr, which is closed in later tests."""
    logging.raiseExceptions = False


@pytest.fixture
def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Callable[..., tuple[int, str, str]]:
    """Run mta-eval in this process: (exit code, stdout, stderr)."""
    from mta_eval.cli import main

    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["mta-eval", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    return run


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every figure that is saved, as often as it is saved."""
    from matplotlib.figure import Figure

    saved: list[Any] = []
    save = Figure.savefig

    def keep(figure: Figure, *places: Any, **options: Any) -> None:
        saved.append(figure)
        save(figure, *places, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


@pytest.fixture
def quick_pdfs(monkeypatch: pytest.MonkeyPatch) -> None:
    """PDFs of nothing: half the time of a page full of pictures, whose PDFs other tests look at."""
    from matplotlib.figure import Figure

    save = Figure.savefig

    def write(figure: Figure, where: Any, **options: Any) -> None:
        if options.get("format") != "pdf":
            save(figure, where, **options)
        elif hasattr(where, "write"):
            where.write(b"%PDF")
        else:
            Path(where).write_bytes(b"%PDF")

    monkeypatch.setattr(Figure, "savefig", write)


@pytest.fixture(scope="session")
def audit() -> Callable[[Sample, FastTokenizer], None]:
    """Assert what must hold of every sample, from its prompt encoded again by the tokenizers library alone."""
    return _audit


def _audit(sample: Sample, tokenizer: FastTokenizer) -> None:
    plain = sample.chat is None
    encoding = tokenizer._backend.encode(sample.prompt, add_special_tokens=plain)
    count = len(encoding.ids)
    assert sample.prompt_tokens == count, f"says {sample.prompt_tokens} tokens, has {count}: {sample.id}"
    assert sample.length - 4 <= count + sample.max_new_tokens <= sample.length, sample.id
    if not plain:
        assert sample.prompt == tokenizer.render(sample.chat or ())
    for needle in sample.needles:
        assert sample.prompt.count(needle.text) == 1
        begin = sample.prompt.index(needle.text)
        _stands_between_sentences(sample.prompt, begin, needle.text)
        _spans(encoding.offsets, needle, begin)
    starts = [needle.token_start for needle in sample.needles]
    assert starts == sorted(starts)


def _spans(offsets: list[tuple[int, int]], needle: Any, begin: int) -> None:
    """The token span is the tokens that share a character with the needle, no more and no fewer."""
    finish = begin + len(needle.text)
    touching = [index for index, (start, end) in enumerate(offsets) if start < finish and end > begin and end > start]
    assert (needle.token_start, needle.token_end) == (touching[0], touching[-1] + 1), needle


def _stands_between_sentences(prompt: str, begin: int, text: str) -> None:
    before, after = prompt[:begin], prompt[begin + len(text) :]
    assert not before or before[-1].isspace(), before[-20:]
    assert before.endswith("\n") or not before or re.search(r"[.!?…][\"'”’)\]]* $", before), before[-40:]
    assert after[:1].isspace(), after[:20]


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str, str], None]:
    """plugin("mta_eval.tasks", "weather", "package:Weather"): an entry point, as an installed package would have it."""
    import importlib.metadata

    real, added = importlib.metadata.entry_points, []

    def entry_points(**selection: str) -> Any:
        if not selection.get("group", "").startswith("mta_eval."):
            return real(**selection)
        extra = [entry for entry in added if entry.group == selection.get("group", entry.group)]
        return importlib.metadata.EntryPoints([*real(**selection), *extra])

    def add(group: str, name: str, value: str) -> None:
        added.append(importlib.metadata.EntryPoint(name, value, group))

    for module in [*sys.modules.values()]:
        if module.__name__.startswith("mta_eval") and hasattr(module, "entry_points"):
            monkeypatch.setattr(module, "entry_points", entry_points)
    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    return add
