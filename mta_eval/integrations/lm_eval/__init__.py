"""mta-eval in lm-eval, the leaf towards that harness: nothing else imports it.

`tasks/*.yaml` name the tasks; `--include_path` finds them there. `register_models` puts our models into lm-eval's
table; newer
versions than 0.4.13 find them by the entry points `lm_eval.models`.
"""

from __future__ import annotations

from pathlib import Path

from mta_eval import registry

TASKS = Path(__file__).parent / "tasks"


def model_names() -> tuple[str, ...]:
    """What lm-eval's `--model` takes of ours: every attention variant, and longheads."""
    return (*registry.names("attention"), "longheads")


def register_models() -> None:
    """Make lm-eval's `--model mta` and the others known to it, in this process."""
    import lm_eval.models  # noqa: F401  first: lm-eval enters its own models only into an empty table
    from lm_eval.api.registry import model_registry

    for name in model_names():
        if name not in model_registry:
            model_registry.register(name, target=f"mta_eval.integrations.lm_eval.models:{name}")
