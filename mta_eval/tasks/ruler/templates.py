"""RULER's published prompts, answer prefixes and budgets of answers (Hsieh et al. 2024).

The wording is that of scripts/data/synthetic/constants.py in github.com/NVIDIA/RULER (Apache 2.0) of 2026, byte for
byte: it is the protocol. lm-evaluation-harness has the same, but for a slip that the original has mended ("assgined").
"""

from __future__ import annotations

from typing import NamedTuple


class RulerPrompt(NamedTuple):
    """`instruction` around the context, what then begins the answer, and `tokens` for the answer."""

    instruction: str
    answer_prefix: str
    tokens: int

    def words(self, **said: object) -> tuple[tuple[str, str], str]:
        """What stands before and after the context, and the answer's beginning."""
        before, after = (part.format(**said) for part in self.instruction.split("{context}"))
        return (before, after), self.answer_prefix.format(**said)


NEEDLE = "One of the special magic {kind} for {key} is: {value}."
NEEDLES = RulerPrompt(
    "Some special magic {kind} are hidden within the following text. Make sure to memorize it. I will quiz you about "
    "the {kind} afterwards.\n{context}\nWhat are all the special magic {kind} for {query} mentioned in the provided "
    "text?",
    " The special magic {kind} for {query} mentioned in the provided text are",
    128,
)
ONE_NEEDLE = RulerPrompt(
    "A special magic {kind} is hidden within the following text. Make sure to memorize it. I will quiz you about "
    "the {kind} afterwards.\n{context}\nWhat is the special magic {kind} for {query} mentioned in the provided text?",
    " The special magic {kind} for {query} mentioned in the provided text is",
    128,
)
VARIABLES = RulerPrompt(
    "Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n{context}\nQuestion: Find "
    "all variables that are assigned the value {query} in the text above.",
    " Answer: According to the chain(s) of variable assignment in the text above, {num_v} variables are assigned the "
    "value {query}, they are: ",
    30,
)
COMMON_WORDS = RulerPrompt(
    "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that "
    "appear most often.\n{context}\nQuestion: What are the 10 most common words in the above list?",
    " Answer: The top 10 words that appear most often in the list are:",
    120,
)
FREQUENT_WORDS = RulerPrompt(
    "Read the following coded text and track the frequency of each coded word. Find the three most frequently appeared "
    "coded words. {context}\nQuestion: Do not provide any explanation. Please ignore the dots '....'. What are the "
    "three most frequently appeared words in the above coded text?",
    " Answer: According to the coded text above, the three most frequently appeared words are:",
    50,
)
QUESTIONS = RulerPrompt(
    "Answer the question based on the given documents. Only give me the answer and do not output any other words.\n\n"
    "The following are given documents.\n\n{context}\n\nAnswer the question based on the given documents. Only give me "
    "the answer and do not output any other words.\n\nQuestion: {query}",
    " Answer:",
    32,
)
DOCUMENT = "Document {number}:\n{text}"
