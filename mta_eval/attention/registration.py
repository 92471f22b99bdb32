"""transformers' Auto classes open our checkpoints: what is registered there, and when.

`register()` is called by `import mta_eval` where transformers is imported already, and costs nothing then: a lazy class
stands in the table until it is used. Where transformers is imported later, call `mta_eval.register()` yourself; our own
commands and adapters do.
"""

from __future__ import annotations

from importlib import import_module

MODEL_TYPE = "multi_token_attention"


class _Lazy:
    """Passes for a class of this room until it is used; whatever is asked of it is asked of the real one."""

    def __init__(self, module: str, name: str, config_class: type[object] | None = None) -> None:
        self._target = (f"mta_eval.attention.{module}", name)
        self.__name__ = name
        if config_class is not None:  # transformers compares it on registering
            self.config_class = config_class

    def __getattr__(self, name: str) -> object:
        module, target = self._target
        attribute: object = getattr(getattr(import_module(module), target), name)
        return attribute

    def __call__(self, *args: object, **options: object) -> object:
        module, target = self._target
        instance: object = getattr(import_module(module), target)(*args, **options)
        return instance


def register() -> None:
    """Make AutoConfig, AutoModel and AutoModelForCausalLM know our checkpoints. Imports transformers."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if MODEL_TYPE not in CONFIG_MAPPING:
        CONFIG_MAPPING.register(MODEL_TYPE, _Lazy("configuration", "MTAConfig"))


def register_classes(
    config: type[object], model: type[object] | None = None, causal_model: type[object] | None = None
) -> None:
    """Put the real configuration into transformers' tables, and the models, lazy ones while they are not there yet."""
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    AutoConfig.register(MODEL_TYPE, config, exist_ok=True)
    AutoModel.register(config, model or _Lazy("decoder", "MTAModel", config), exist_ok=True)
    AutoModelForCausalLM.register(config, causal_model or _Lazy("decoder", "MTAForCausalLM", config), exist_ok=True)
