"""Small tokenizers of our own: byte-level BPE learnt from texts, each digit a token, BOS before a prompt."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from mta_eval.errors import SpecError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

BOS, EOS = "<bos>", "<eos>"
SMALLEST, LARGEST_VOCABULARY = 300, 200_000  # bytes, and some pieces


def learn_tokenizer(texts: Iterable[str], size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of `size` tokens at most; every text can be spelled. The same texts give the same one.

    Raises SpecError for a size that is too small or large.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    if not SMALLEST <= size <= LARGEST_VOCABULARY:
        raise SpecError(f"a vocabulary has {SMALLEST} to {LARGEST_VOCABULARY:,} tokens, not {size}")
    backend = Tokenizer(models.BPE())
    digits = pre_tokenizers.Digits(individual_digits=True)
    backend.pre_tokenizer = pre_tokenizers.Sequence([digits, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=[BOS, EOS], initial_alphabet=sorted(alphabet), show_progress=False
    )
    backend.train_from_iterator(texts, trainer)
    bos = backend.token_to_id(BOS)
    backend.post_processor = processors.TemplateProcessing(single=f"{BOS} $A", special_tokens=[(BOS, bos)])
    return PreTrainedTokenizerFast(tokenizer_object=backend, bos_token=BOS, eos_token=EOS)
