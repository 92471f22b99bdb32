"""transformers' Auto classes know our checkpoints, whichever is imported first; mta_eval alone stays light."""

import subprocess
import sys
from pathlib import Path

import pytest

from mta_eval.attention.configuration import MTAConfig
from mta_eval.attention.decoder import MTAForCausalLM

OPEN = (
    "model, config = AutoModelForCausalLM.from_pretrained({0!r}), AutoConfig.from_pretrained({0!r})\n"
    "print(type(model).__name__, config.attention)"
)
ORDERS = {
    "ours first": "import mta_eval; mta_eval.register(); from transformers import AutoConfig, AutoModelForCausalLM",
    "theirs first": "from transformers import AutoConfig, AutoModelForCausalLM; import mta_eval",
    "a Llama first": "from transformers import LlamaConfig, AutoConfig, AutoModelForCausalLM; import mta_eval",
    "config first": "from transformers import AutoConfig; import mta_eval\n"
    "from transformers import AutoModelForCausalLM",
    "twice": "from transformers import AutoConfig, AutoModelForCausalLM; import mta_eval; mta_eval.register()",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("auto")
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    MTAForCausalLM(MTAConfig(vocab_size=16, attention="talking_heads", **sizes)).save_pretrained(made)
    return made


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("order", ORDERS)
def test_auto_classes_open_our_checkpoints(order: str, folder: Path) -> None:
    assert run(f"{ORDERS[order]}\n{OPEN.format(str(folder))}").endswith("MTAForCausalLM talking_heads")


def test_importing_mta_eval_imports_nothing_heavy() -> None:
    loaded = run("import sys, mta_eval; print(*sys.modules)").split()
    assert "mta_eval.core" in loaded
    assert not {"torch", "transformers", "numpy"} & set(loaded)


def test_a_model_is_made_from_a_configuration_alone(folder: Path) -> None:
    code = (
        "from transformers import AutoConfig, AutoModelForCausalLM; import mta_eval\n"
        f"print(type(AutoModelForCausalLM.from_config(AutoConfig.from_pretrained({str(folder)!r}))).__name__)\n"
        "from mta_eval.attention.configuration import MTAConfig, preset\n"
        "small = dict(num_hidden_layers=1, vocab_size=8, hidden_size=8, intermediate_size=8, num_attention_heads=2)\n"
        "print(type(AutoModelForCausalLM.from_config(MTAConfig(**small))).__name__)"
    )
    assert run(code).split() == ["MTAForCausalLM", "MTAForCausalLM"]


def test_nothing_is_put_into_the_way_of_imports() -> None:
    assert run("import sys; before = list(sys.meta_path); import mta_eval; print(before == sys.meta_path)") == "True"


def test_peft_is_not_imported_for_a_model(folder: Path) -> None:
    code = (
        "import sys, mta_eval; mta_eval.register(); from transformers import AutoModelForCausalLM\n"
        f"AutoModelForCausalLM.from_pretrained({str(folder)!r}).config.to_dict(); print('peft' in sys.modules)"
    )
    assert run(code).endswith("False")
