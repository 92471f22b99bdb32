"""Parameters matched by the width of the SwiGLU."""

from __future__ import annotations

import pytest
from tiny_tunnel import tiny_plan

from mta_eval import registry
from mta_eval.errors import ModelError
from mta_eval.tunnel.matching import fit
from mta_eval.tunnel.models import new_model, parameter_count
from mta_eval.tunnel.presets import PRESETS, ModelSize
from mta_eval.tunnel.variants import find_variant

TASK = registry.build_diagnostic("copy:length=2")
SIZE = ModelSize(layers=2, width=64, heads=4, hidden=128)
HEAVY = "mta:query_kernel_before=8,key_kernel_before=128"  # 1,024 weights a head


def test_a_heavy_variant_gets_a_narrower_swiglu() -> None:
    found = fit(find_variant(HEAVY), TASK, SIZE, "parameters")
    plain = parameter_count(new_model(find_variant("transformer"), TASK, SIZE, 0))
    assert found.reference == plain
    assert found.before - plain == 2 * 4 * 1024
    assert found.size.hidden == 128 - round(2 * 4 * 1024 / (3 * 64 * 2))
    assert found.parameters == parameter_count(new_model(find_variant(HEAVY), TASK, found.size, 0))
    assert abs(found.apart) <= 0.005
    assert found.apart == found.parameters / plain - 1


def test_small_differences_and_those_that_are_wanted_stay() -> None:
    for named, match in (("mta", "parameters"), (HEAVY, "none")):
        found = fit(find_variant(named), TASK, SIZE, match)  # type: ignore[arg-type]
        assert found.size == SIZE
        assert found.parameters == found.before


def test_what_no_width_makes_up_for_is_one_line() -> None:
    huge = find_variant("mta:query_kernel_before=64,key_kernel_before=256")
    with pytest.raises(ModelError, match=r"has 2\d\d,\d{3} parameters, the plain .* --match none compares"):
        fit(huge, TASK, SIZE, "parameters")


def test_matched_sizes_are_those_that_are_trained() -> None:
    plan = tiny_plan("mta", tasks=("copy:length=2,kinds=3",))
    (task,), (mta, transformer) = plan.tasks, plan.variants
    assert plan.fits[task, "mta"].parameters < plan.fits[task, "mta"].before
    for one in (*plan.sweep(task, mta), *plan.trainings(task, mta, 1e-3)):
        assert one.size.hidden == plan.fits[task, "mta"].size.hidden == 6
    assert plan.trainings(task, transformer, 1e-3)[0].size.hidden == 8
    assert tiny_plan("mta", tasks=(task,), match="none").trainings(task, mta, 1e-3)[0].size.hidden == 8


@pytest.mark.parametrize("preset", PRESETS)
def test_attentions_of_the_presets_need_no_matching(preset: str) -> None:
    for name in PRESETS[preset].against:
        assert fit(find_variant(name), TASK, PRESETS[preset].size, "parameters").size == PRESETS[preset].size
