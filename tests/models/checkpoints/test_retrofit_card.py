"""The card of a retrofit."""

from pathlib import Path

import mta_eval
from mta_eval.models.checkpoints.retrofit import retrofit


def test_a_retrofit_says_what_it_was_made_from_and_how(llama_folder: Path, tmp_path: Path) -> None:
    options = {"query_kernel_before": 3, "key_kernel_before": 5}
    command = f"mta-eval retrofit {llama_folder} --attention mta --out made"
    difference = retrofit(str(llama_folder), "mta", tmp_path / "made", options, command=command)
    card = (tmp_path / "made" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n")
    assert f"\n# {llama_folder} with mta attention\n" in card
    assert f"\n    {command}\n" in card
    assert f"by at most {difference:.1e}.\n" in card
    assert "--model mta:FOLDER" in card
    for fact in (
        f"made from | {llama_folder}",
        "its type | llama",
        "attention | mta",
        "query_kernel_before | 3",
        "key_kernel_before | 5",
        "hidden_size | 64",
        "dtype | float32",
        f"mta-eval | {mta_eval.__version__}",
    ):
        assert f"| {fact} |\n" in card
    from mta_eval.attention.decoder import MTAForCausalLM

    made = MTAForCausalLM.from_pretrained(tmp_path / "made")
    own = sum(weight.numel() for name, weight in made.named_parameters() if "convolve" in name or "mix" in name)
    assert f"| parameters | {made.num_parameters():,} |\n" in card
    assert f"| of these the attention's own | {own:,} |\n" in card
