"""The family's checkpoints by name, in the suite's own hands."""

from pathlib import Path

import pytest

from mta_eval.core import Cell
from mta_eval.errors import ModelError
from mta_eval.models.checkpoints.retrofit import retrofit
from mta_eval.registry import build_model, build_task


@pytest.fixture(scope="module")
def mta_folder(llama_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family") / "mta"
    retrofit(str(llama_folder), "mta", folder, {})
    return folder


def test_a_retrofit_answers_as_its_original(llama_folder: Path, mta_folder: Path) -> None:
    specs = (f"hf:{llama_folder}", f"mta:{mta_folder}", f"hf:{mta_folder}", f"mta:{mta_folder},attention=eager")
    models = [build_model(spec + ",dtype=float32") for spec in specs]
    for task in map(build_task, ("niah:needles=2", "passkey")):
        samples = [task.sample(Cell(256, depth, 0), 0, models[0].tokenizer) for depth in (0.0, 0.5, 1.0)]
        answers = [list(model.generate(samples)) for model in models]
        assert answers[0] == answers[1] == answers[2] == answers[3]
        assert all(answers[0])
        pair = (samples[0], " " + samples[0].targets[0])
        likely = [model.loglikelihood([pair])[0] for model in models]
        assert likely == pytest.approx([likely[0]] * 4, abs=1e-3)


def test_a_name_wants_its_own_attention(llama_folder: Path, mta_folder: Path) -> None:
    with pytest.raises(ModelError, match=r"has mta attention, not diff; open it as mta:"):
        _ = build_model(f"diff:{mta_folder}").max_length
    with pytest.raises(ModelError, match=r"no checkpoint of the attention family; open it as hf:"):
        _ = build_model(f"mta:{llama_folder}").max_length


def test_the_window_is_the_configs_or_what_is_asked_for(mta_folder: Path) -> None:
    assert build_model(f"mta:{mta_folder}").max_length == 1024
    assert build_model(f"mta:{mta_folder},max_length_override=4096").max_length == 4096
