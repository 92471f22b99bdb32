"""A checkpoint with its code opens where mta_eval cannot be imported, and computes the same."""

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from tiny_models import SIZES
from tiny_variants import ALIBI
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, dynamic_module_utils
from transformers.dynamic_module_utils import get_class_from_dynamic_module, get_imports, get_relative_imports

from mta_eval import registry
from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM
from mta_eval.attention.layer import AttentionLayer
from mta_eval.errors import ModelError, SpecError
from mta_eval.models.checkpoints.code_export import add_code, code_of
from mta_eval.models.hf import HuggingFace

FIRST_VERSION: dict[str, Any] = {"query_kernel_after": 0, "key_kernel_after": 0, "head_kernel_before": 0}
FIRST_VERSION |= {"head_kernel_after": 2, "norm": "depth_scaled", "gate": "none", "convolution_layers": [1]}
MODELS: dict[str, dict[str, Any]] = {
    "mta v2": {"attention": "mta"},
    "mta v1": {"attention": "mta", **FIRST_VERSION},
    "transformer": {"attention": "transformer"},
    "diff": {"attention": "diff"},
    "talking_heads": {"attention": "talking_heads"},
}
IDS = torch.arange(1, 31).view(2, 15)
PACKAGES = {"torch", "transformers", "huggingface_hub"}  # and nothing else, where triton and peft are not wanted


def saved(folder: Path, tokenizer: Path, **options: Any) -> Any:
    """A model of random weights, in `folder` with its code and a tokenizer."""
    torch.manual_seed(0)
    sizes = {**SIZES, "vocab_size": len(AutoTokenizer.from_pretrained(tokenizer))}
    model = MTAForCausalLM(MTAConfig(**sizes, kernel_init="normal", eos_token_id=None, pad_token_id=0, **options))
    model.eval().save_pretrained(folder)
    AutoTokenizer.from_pretrained(tokenizer).save_pretrained(folder)
    add_code(folder)
    return model


def answers(model: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, and the tokens of `generate` with a cache."""
    with torch.no_grad():
        return model(IDS).logits, model.generate(IDS, max_new_tokens=8, do_sample=False)


def opened(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The model by the code in its folder, which stands beside ours in this process."""
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(cache))
    monkeypatch.syspath_prepend(cache)
    entry = json.loads((folder / "config.json").read_text())["auto_map"]["AutoModelForCausalLM"]
    class_ = get_class_from_dynamic_module(entry, str(folder))
    assert class_.__module__.startswith("transformers_modules.")
    assert class_.config_class.__module__.startswith("transformers_modules.")
    return class_.from_pretrained(folder).eval()


@pytest.fixture
def cache(tmp_path: Path) -> Any:
    """A place for transformers' copies of code, whose modules are forgotten afterwards."""
    yield tmp_path / "modules"
    for name in [name for name in sys.modules if name.split(".")[0] == "transformers_modules"]:
        del sys.modules[name]


@pytest.mark.parametrize("name", MODELS)
def test_its_own_code_computes_the_same(
    name: str, llama_folder: Path, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, tokens = answers(saved(tmp_path / "model", llama_folder, **MODELS[name]))
    found, generated = answers(opened(tmp_path / "model", cache, monkeypatch))
    assert torch.allclose(found, logits, atol=1e-5)
    assert torch.equal(generated, tokens)


@pytest.mark.parametrize("kind", registry.names("attention"))
def test_the_files_need_neither_mta_eval_nor_more_packages_and_find_one_another(kind: str, tmp_path: Path) -> None:
    files = code_of(kind)
    for name, text in files.items():
        imported = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.level]
        modules = {node.module or node.names[0].name for node in imported}
        assert {f"{module}.py" for module in modules} <= files.keys()
        (tmp_path / name).write_text(text)
        assert set(get_relative_imports(tmp_path / name)) == modules  # transformers copies what it finds
        assert set(get_imports(tmp_path / name)) - sys.stdlib_module_names <= PACKAGES
    assert not re.search(r"^\s*(from|import) mta_eval", "\n".join(files.values()), re.MULTILINE)
    others = set(registry.names("attention")) - {kind, "mta"}
    assert not {f"mta_{other}.py" for other in others} & files.keys()


BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "mta_eval":
            raise ImportError(name)

sys.meta_path.insert(0, Blocked())
import torch
from pathlib import Path
from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

def close(folder, logits, tokens):
    model = AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=True).eval()
    with torch.no_grad():
        assert torch.allclose(model(IDS).logits, logits, atol=1e-5), folder
        assert torch.equal(model.generate(IDS, max_new_tokens=8, do_sample=False), tokens), folder
    return model

IDS, wanted = torch.load(sys.argv[1])
for folder, (logits, tokens) in wanted.items():
    model = close(folder, logits, tokens)
    AutoTokenizer.from_pretrained(folder, trust_remote_code=True)
    again = folder + " again"
    model.save_pretrained(again)
    assert (Path(again) / "mta_layer.py").is_file()
    close(again, logits, tokens)
    AutoModel.from_pretrained(again, trust_remote_code=True)
    try:
        AutoModelForCausalLM.from_pretrained(folder, trust_remote_code=False)
    except ValueError as error:
        assert "trust_remote_code" in str(error)
    else:
        raise AssertionError("the code ran unasked")
print("the same", len(wanted))
"""


@pytest.mark.slow
def test_all_open_where_mta_eval_cannot_be_imported(llama_folder: Path, tmp_path: Path) -> None:
    wanted = {}
    for name, options in MODELS.items():
        wanted[str(tmp_path / name)] = answers(saved(tmp_path / name, llama_folder, **options))
    torch.save((IDS, wanted), tmp_path / "wanted.pt")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"HF_MODULES_CACHE": str(tmp_path / "modules"), "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, "-I", "-c", BLOCKED, str(tmp_path / "wanted.pt")]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["the", "same", str(len(MODELS))]


def test_here_the_installed_code_is_run_and_no_trust_is_needed(llama_folder: Path, tmp_path: Path) -> None:
    model = saved(tmp_path / "model", llama_folder, attention="talking_heads")
    found = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert type(found) is MTAForCausalLM
    assert torch.equal(answers(found.eval())[0], answers(model)[0])
    adapter = HuggingFace(str(tmp_path / "model"), "float32", "cpu")
    assert not adapter.trust_remote_code
    assert type(adapter.weights) is MTAForCausalLM


def test_a_model_saved_here_again_names_no_code_that_is_not_there(llama_folder: Path, tmp_path: Path) -> None:
    saved(tmp_path / "model", llama_folder, attention="talking_heads")
    AutoModelForCausalLM.from_pretrained(tmp_path / "model").save_pretrained(tmp_path / "again")
    assert "auto_map" not in json.loads((tmp_path / "again/config.json").read_text())
    assert not list((tmp_path / "again").glob("*.py"))


def test_code_changes_neither_the_configuration_nor_its_fingerprint(llama_folder: Path, tmp_path: Path) -> None:
    saved(tmp_path / "model", llama_folder, attention="talking_heads")
    with_code = HuggingFace(str(tmp_path / "model"), "float32", "cpu").identity()
    AutoModelForCausalLM.from_pretrained(tmp_path / "model").save_pretrained(tmp_path / "plain")
    AutoTokenizer.from_pretrained(llama_folder).save_pretrained(tmp_path / "plain")
    assert HuggingFace(str(tmp_path / "plain"), "float32", "cpu").identity().config == with_code.config


def test_a_variant_of_another_package_brings_its_file(
    plugin: Callable[..., None],
    llama_folder: Path,
    tmp_path: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plugin(*ALIBI)
    model = saved(tmp_path / "model", llama_folder, attention="alibi")
    assert "class ALiBiAttention" in (tmp_path / "model/mta_variant.py").read_text()
    assert torch.allclose(answers(opened(tmp_path / "model", cache, monkeypatch))[0], answers(model)[0], atol=1e-5)


NOT_ALONE = {
    "another file of its package": "from somebody.helpers import decay",
    "a file beside it": "from .helpers import decay",
    "the rest of mta_eval": "from mta_eval.models.hf import HuggingFace",
    "mta_eval as a whole": "import mta_eval.attention.naive",
}


@pytest.mark.parametrize("case", NOT_ALONE)
def test_a_variant_that_is_not_in_one_file_is_refused(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "decaying.py"
    file.write_text(f"{NOT_ALONE[case]}\n\nclass Decaying: ...\n")
    module = ModuleType("somebody.decaying")
    module.Decaying = type("Decaying", (AttentionLayer,), {"kind": "decaying", "__module__": module.__name__})  # type: ignore[attr-defined]
    module.__file__ = str(file)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(registry.ADDED["attention"], "decaying", "somebody.decaying:Decaying")
    with pytest.raises(ModelError, match=re.escape(f"it has `{NOT_ALONE[case]}`; write the variant in one file")):
        code_of("decaying")


def test_a_variant_of_a_notebook_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    made = type("Noted", (AttentionLayer,), {"kind": "noted", "__module__": "noted"})
    module = ModuleType("noted")
    module.Noted = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "noted", module)
    monkeypatch.setitem(registry.ADDED["attention"], "noted", "noted:Noted")
    with pytest.raises(ModelError, match="noted attention is in no file that could be read"):
        code_of("noted")


def test_other_checkpoints_get_no_code(llama_folder: Path, tmp_path: Path) -> None:
    AutoConfig.from_pretrained(llama_folder).save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="is no checkpoint of the attention family"):
        add_code(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_variant_that_nobody_knows_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "multi_token_attention", "attention": "mtaa"}')
    with pytest.raises(SpecError, match="did you mean 'mta'"):
        add_code(tmp_path)
