"""The letter-block models' tokenizer: one character, one token (the MTA paper's toy task).

26 letters, ".", "#", "_", BOS and EOS, padded to 32 ids. What it cannot spell becomes "_".
"""

from __future__ import annotations

from string import ascii_lowercase
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

ALPHABET = ascii_lowercase + ".#_"
BOS, EOS, UNUSED = "<bos>", "<eos>", "<unused>"
IDS = {token: number for number, token in enumerate([*ALPHABET, BOS, EOS, UNUSED])}


def letter_tokenizer() -> PreTrainedTokenizerFast:
    """As transformers writes it into a checkpoint's folder: BOS before a prompt, nothing after it."""
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    backend = Tokenizer(models.WordLevel(IDS, unk_token="_"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(r"[\s\S]"), "isolated")
    backend.decoder = decoders.Fuse()
    backend.add_special_tokens([BOS, EOS, UNUSED])
    backend.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, IDS[BOS])])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=BOS, eos_token=EOS, unk_token="_")


def row_ids(prompt: str, answer: str) -> list[int]:
    """BOS, the prompt, the answer, EOS. Raises KeyError for a character outside the alphabet."""
    return [IDS[BOS], *(IDS[character] for character in prompt + answer), IDS[EOS]]
