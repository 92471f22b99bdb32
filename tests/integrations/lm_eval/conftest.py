"""lm-eval in this process, with tiny models of the family and one that answers from the samples themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from mta_eval import registry

Results = dict[str, Any]
Evaluate = Callable[..., Results]
KINDS = tuple(registry.names("attention"))


@pytest.fixture(scope="session")
def family(llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny model of random weights and kernels for each kind of attention, in llama_folder's shape."""
    import torch
    from transformers import AutoConfig, AutoTokenizer

    from mta_eval.attention.configuration import MTAConfig
    from mta_eval.attention.decoder import MTAForCausalLM

    shape = AutoConfig.from_pretrained(llama_folder)
    names = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    told = {name: getattr(shape, name) for name in (*names, "num_key_value_heads", "max_position_embeddings")}
    ends = {"bos_token_id": shape.bos_token_id, "eos_token_id": shape.eos_token_id}
    folders: dict[str, Path] = {}
    for kind in KINDS:
        folders[kind] = tmp_path_factory.mktemp("family") / kind
        with torch.random.fork_rng():
            torch.manual_seed(1)
            config = MTAConfig(attention=kind, kernel_init="normal", initializer_range=0.3, **told, **ends)
            MTAForCausalLM(config).save_pretrained(folders[kind])
        AutoTokenizer.from_pretrained(llama_folder).save_pretrained(folders[kind])
    return folders


@pytest.fixture(scope="session")
def evaluate() -> Iterator[Evaluate]:
    """simple_evaluate with our tasks and models, and with the metadata that its command line makes."""
    import lm_eval
    import lm_eval.evaluator
    from lm_eval.tasks import TaskManager

    from mta_eval.integrations.lm_eval import TASKS, model_names, register_models

    register_models()

    def run(
        model: Any,
        told: Mapping[str, Any],
        tasks: Sequence[str] = ("mta_niah",),
        metadata: Mapping[str, Any] | None = None,
        folder: Path | None = None,
        **how: Any,
    ) -> Results:
        adapter = {"mta_eval_model": model} if model in model_names() else {}
        manager = TaskManager(
            include_defaults=False,
            include_path=[TASKS, *([folder] if folder else [])],
            metadata={**told, **(metadata or {}), **adapter},
        )
        found = lm_eval.simple_evaluate(
            model=model, model_args=dict(told), tasks=list(tasks), task_manager=manager, bootstrap_iters=2, **how
        )
        return dict(found)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lm_eval.evaluator, "add_env_info", lambda *_: None)  # it runs programs for seconds
        yield run


@pytest.fixture(scope="session")
def knowing() -> Callable[..., Any]:
    """Makes lm-eval models that know the targets, and give them where `right` says so."""
    from lm_eval.api.model import LM

    class Knowing(LM):
        def __init__(self, right: Callable[[dict[str, Any]], bool] = bool, say: str = "{}", chat: Any = None) -> None:
            super().__init__()
            self.right, self.say, self.chat = right, say, chat
            self.asked: list[Any] = []

        def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
            self.asked += requests
            docs = [request.doc for request in requests]
            return [self.say.format(", ".join(doc["targets"])) if self.right(doc) else " nothing" for doc in docs]

        def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> Any:
            raise NotImplementedError

        def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> Any:
            raise NotImplementedError

        @property
        def tokenizer_name(self) -> str:
            return "knowing"

        def chat_template(self, chat_template: Any = False) -> str:
            return ""

        def apply_chat_template(self, history: list[dict[str, str]], add_generation_prompt: bool = True) -> str:
            return str(self.chat(history))

    return Knowing
