"""tunnel.json: every number of a tunnel."""

from __future__ import annotations

from statistics import mean

from mta_eval import registry
from mta_eval.tunnel.rows.drawing import longer
from mta_eval.tunnel.training_run import ENOUGH, FACTOR, SOLVED
from mta_eval.tunnel.tunnel_result import Tunnel, error_interval
from mta_eval.tunnel.verdicts import HARDLY, PART, Judged
from mta_eval.version import VERSION

SCHEMA = 2
PROTOCOL = ("steps", "sweep_steps", "batch", "seeds", "tested", "held_out", "match")
ERRORS = ("wrong", "wrong_tokens", "wrong_longer")
OF_A_SEED = (*ERRORS, "steps", "solved_at", "diverged", "parameters", "memory", "seconds_per_step")


def as_json(tunnel: Tunnel) -> dict[str, object]:
    """Every number of a tunnel, as tunnel.json has it."""
    preset, variants = tunnel.plan.preset, tunnel.plan.variants
    return {
        "schema": SCHEMA,
        "mta_eval": VERSION,
        "preset": tunnel.preset_name,
        "protocol": {
            **{name: getattr(preset, name) for name in PROTOCOL},
            "learning_rates": list(preset.rates),
            "size": vars(preset.size),
            "solved": SOLVED,
            "stops_at": ENOUGH,
            "part": PART,
            "at_chance": HARDLY,
        },
        "made": dict(tunnel.made),
        "variants": [
            {
                "name": one.label,
                "attention": one.kind,
                "options": one.options,
                "title": one.title,
                "source": one.source,
                "file_sha256": one.digest,
            }
            for one in variants
        ],
        "tasks": [_task_json(tunnel, task) for task in tunnel.plan.tasks],
        "axes": [
            {"axis": axis.title, "option": axis.option, "tasks": axis.tasks, "verdict": sentence}
            for axis, sentence in zip(tunnel.axes, tunnel.axis_verdicts, strict=True)
        ],
        "outcomes": [_outcome_json(tunnel, one) for one in tunnel.judged.values()],
        "notes": tunnel.notes,
    }


def _task_json(tunnel: Tunnel, spec: str) -> dict[str, object]:
    task = registry.build_diagnostic(spec)
    grown = longer(task, FACTOR)
    return {
        "task": spec,
        "tokens": len(task.row("test", 0, 0)),
        "chance": task.chance,
        "longer": registry.spec_of(grown),
        "longer_tokens": len(grown.row("test", 0, 0)),
        "longer_chance": grown.chance,
        "verdict": tunnel.verdicts[spec],
    }


def _outcome_json(tunnel: Tunnel, one: Judged) -> dict[str, object]:
    interval = error_interval(one.errors)
    found = tunnel.plan.fits.get((one.outcome.task, one.outcome.label))
    return {
        "task": one.outcome.task,
        "variant": one.outcome.label,
        "learning_rate": one.outcome.rate,
        "sweep_losses": {f"{rate:g}": _finite(loss) for rate, loss in one.outcome.sweep.items()},
        "wrong": mean(one.errors),
        "interval": list(interval) if interval else None,
        "standing": one.standing,
        "swiglu_width": one.outcome.results[0].training.size.hidden,
        "parameters_unmatched": found.before if found else None,
        "parameters_of_transformer": found.reference if found else None,
        "seeds": [
            {"seed": result.training.seed, **{name: getattr(result, name) for name in OF_A_SEED}}
            for result in one.outcome.results
        ],
    }


def _finite(number: float) -> float | None:
    return number if abs(number) < float("inf") else None
