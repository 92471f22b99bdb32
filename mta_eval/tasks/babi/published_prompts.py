"""BABILong's published prompts for QA1-QA10, its limits on facts, and how its evaluation asks (Kuratov et al. 2024).

The wording, slips included, is that of babilong/prompts.py in github.com/booydar/babilong (Apache 2.0) of 2026, which
its evaluation script and the leaderboard use: it is the protocol, so nothing in it is mended.
"""

from __future__ import annotations

from dataclasses import dataclass

ANSWER_TOKENS = 20  # max_new_tokens of the published evaluation; nothing but an end token ends an answer
PROMPT_TOKENS, TOKENS_PER_FACT = 300, 8  # of the published generator: kept for the prompt, and allowed for


@dataclass(frozen=True)
class PublishedPrompt:
    """The parts of one task's prompt; `between` two worked examples and at the `end` stands white space of its own."""

    instruction: str
    post_prompt: str
    examples: tuple[tuple[str, str], ...]
    between: str = "\n"
    end: str = ""

    def words(
        self, question: str, *, use_instruction: bool = True, use_examples: bool = True, use_post_prompt: bool = True
    ) -> tuple[str, str]:
        """What stands before and after the context. A part that is not used leaves its empty lines, as published."""
        shown = self.between.join(f"<example>\n{text}\nAnswer: {answer}\n</example>" for text, answer in self.examples)
        parts = (
            self.instruction if use_instruction else "",
            shown + self.end if use_examples else "",
            self.post_prompt if use_post_prompt else "",
        )
        return "\n\n".join([*parts, "<context>\n"]).lstrip(), f"\n</context>\n\nQuestion: {question}".rstrip()


def most_facts(length: int) -> int | None:
    """The most facts of a published sample of `length` tokens; None for length 0, the facts alone, which has no limit.

    The published generator counts 1,000 tokens to the "k", and the question among the facts. Below 1k it has no
    lengths: there its formula is carried on.
    """
    return max((length * 1000 // 1024 - PROMPT_TOKENS) // TOKENS_PER_FACT - 1, 1) if length else None


PUBLISHED_PROMPTS = {
    1: PublishedPrompt(
        "I will give you context with the facts about positions of different persons hidden in some random text and "
        "a question. You need to answer the question based only on the information from the facts. If a person was "
        "in different locations, use the latest location to answer the question.",
        "Always return your answer in the following format: The most recent location of ’person’ is ’location’. Do "
        "not write anything else after that.",
        (
            (
                "Charlie went to the hallway. Judith come back to the kitchen. Charlie travelled to balcony. Where "
                "is Charlie?",
                "The most recent location of Charlie is balcony.",
            ),
            (
                "Alan moved to the garage. Charlie went to the beach. Alan went to the shop. Rouse travelled to "
                "balcony. Where is Alan?",
                "The most recent location of Alan is shop.",
            ),
        ),
        between="\n\n",
    ),
    2: PublishedPrompt(
        "I give you context with the facts about locations and actions of different persons hidden in some random "
        "text and a question.You need to answer the question based only on the information from the facts.\nIf a "
        "person got an item in the first location and travelled to the second location the item is also in the "
        "second location. If a person dropped an item in the first location and moved to the second location the "
        "item remains in the first location.",
        "Always return your answer in the following format: The ’item’ is in ’location’. Do not write anything else "
        "after that.",
        (
            (
                "Charlie went to the kitchen. Charlie got a bottle. Charlie moved to the balcony. Where is the bottle?",
                "The bottle is in the balcony.",
            ),
            (
                "Alan moved to the garage. Alan got a screw driver. Alan moved to the kitchen. Where is the screw "
                "driver?",
                "The screw driver is in the kitchen.",
            ),
        ),
    ),
    3: PublishedPrompt(
        "I give you context with the facts about locations and actions of different persons hidden in some random "
        "text and a question. You need to answer the question based only on the information from the facts.\nIf a "
        "person got an item in the first location and travelled to the second location the item is also in the "
        "second location. If a person dropped an item in the first location and moved to the second location the "
        "item remains in the first location.",
        "Always return your answer in the following format: Before the $location_1$ the $item$ was in the "
        "$location_2$. Do not write anything else after that.",
        (
            (
                "John journeyed to the bedroom. Mary grabbed the apple. Mary went back to the bathroom. Daniel "
                "journeyed to the bedroom. Daniel moved to the garden. Mary travelled to the kitchen. Where was the "
                "apple before the kitchen?",
                "Before the kitchen the apple was in the bathroom.",
            ),
            (
                "John went back to the bedroom. John went back to the garden. John went back to the kitchen. Sandra "
                "took the football. Sandra travelled to the garden. Sandra journeyed to the bedroom. Where was the "
                "football before the bedroom?",
                "Before the bedroom the football was in the garden.",
            ),
        ),
    ),
    4: PublishedPrompt(
        "I will give you context with the facts about different people, their location and actions, hidden in some "
        "random text and a question. You need to answer the question based only on the information from the facts.",
        "Your answer should contain only one word - location. Do not write anything else after that.",
        (
            (
                "The hallway is south of the kitchen. The bedroom is north of the kitchen. What is the kitchen south "
                "of?",
                "bedroom",
            ),
            (
                "The garden is west of the bedroom. The bedroom is west of the kitchen. What is west of the bedroom?",
                "garden",
            ),
        ),
    ),
    5: PublishedPrompt(
        "I will give you context with the facts about locations and their relations hidden in some random text and a "
        "question. You need to answer the question based only on the information from the facts.",
        "Your answer should contain only one word. Do not write anything else after that. Do not explain your answer.",
        (
            (
                "Mary picked up the apple there. Mary gave the apple to Fred. Mary moved to the bedroom. Bill took "
                "the milk there. Who did Mary give the apple to?",
                "Fred",
            ),
            (
                "Jeff took the football there. Jeff passed the football to Fred. Jeff got the milk there. Bill "
                "travelled to the bedroom. Who gave the football?",
                "Jeff",
            ),
            (
                "Fred picked up the apple there. Fred handed the apple to Bill. Bill journeyed to the bedroom. Jeff "
                "went back to the garden. What did Fred give to Bill?",
                "apple",
            ),
        ),
    ),
    6: PublishedPrompt(
        "I will give you context with the facts about people and their locations hidden in some random text and a "
        "question. You need to answer the question based only on the information from the facts. If a person was in "
        "different locations, use the latest location the person was in to answer the question.",
        "Your answer should contain only one word - $yes$ or $no$. Do not write anything else after that. Do not "
        "explain your answer.",
        (
            ("John travelled to the hallway. John travelled to the garden. Is John in the garden?", "yes"),
            (
                "Mary went to the office. Daniel journeyed to the hallway. Mary went to the bedroom. Sandra went to "
                "the garden. Is Mary in the office?",
                "no",
            ),
        ),
        end="\n",
    ),
    7: PublishedPrompt(
        "I will give you context with the facts about people and objects they carry, hidden in some random text and "
        "a question. You need to answer the question based only on the information from the facts.",
        "Your answer should contain only one word - $none$ or $number_of_objects$. Do not write anything else after "
        "that. Do not explain your answer.",
        (
            (
                "Daniel went to the bedroom. Daniel got the apple there. How many objects is Daniel carrying?",
                "one",
            ),
            (
                "Mary grabbed the apple there. Mary gave the apple to John. How many objects is Mary carrying?",
                "none",
            ),
            (
                "Sandra travelled to the hallway. Sandra picked up the milk there. Sandra took the apple there. Mary "
                "travelled to the garden. How many objects is Sandra carrying?",
                "two",
            ),
        ),
        end="\n",
    ),
    8: PublishedPrompt(
        "I will give you context with the facts about people and objects they carry, hidden in some random text and "
        "a question. You need to answer the question based only on the information from the facts.",
        "Your answer should contain only one or two words: $nothing$ or $object$ or $object_1$, $object_2$. Do not "
        "write anything else. Do not explain your answer.",
        (
            ("Sandra travelled to the garden. Mary grabbed the milk there. What is Mary carrying?", "milk"),
            (
                "Mary travelled to the kitchen. Sandra travelled to the office. John travelled to the office. Sandra "
                "discarded the milk there. What is Sandra carrying?",
                "nothing",
            ),
            (
                "Daniel grabbed the apple there. Mary went to the office. Daniel moved to the garden. Daniel grabbed "
                "the milk there. Mary went to the kitchen. What is Daniel carrying?",
                "apple,milk",
            ),
        ),
        end="\n",
    ),
    9: PublishedPrompt(
        "I will give you context with the facts about people and their locations hidden in some random text and a "
        "question. You need to answer the question based only on the information from the facts. If a person was in "
        "different locations, use the latest location the person was in to answer the question.",
        "Your answer should contain only one word - $yes$ or $no$. Do not write anything else. Do not explain your "
        "answer.",
        (
            ("John is not in the bathroom. Sandra is not in the bedroom. Is John in the bathroom?", "no"),
            (
                "Mary journeyed to the kitchen. John is in the bedroom. Sandra is not in the garden. Is Mary in the "
                "kitchen?",
                "yes",
            ),
        ),
        end="\n",
    ),
    10: PublishedPrompt(
        "I will give you context with the facts about people and their locations hidden in some random text and a "
        "question. You need to answer the question based only on the information from the facts. If a person was in "
        "different locations, use the latest location the person was in to answer the question.",
        "Your answer should contain only one word - $yes$ or $no$ or $maybe$. Do not write anything else. Do not "
        "explain your answer.",
        (
            (
                "Bill is in the kitchen. Julie is either in the school or the cinema. Is Bill in the bedroom?",
                "no",
            ),
            (
                "Fred is in the bedroom. Mary is either in the school or the cinema. Is Mary in the school?",
                "maybe",
            ),
            (
                "Fred is either in the kitchen or the park. Bill moved to the cinema. Is Bill in the cinema?",
                "yes",
            ),
        ),
        end="\n<context>\n",
    ),
}
