"""Small corpora in the official forms of SQuAD 2.0 and HotpotQA: rivers, and the towns that they pass."""

from __future__ import annotations

from typing import Any


def river(name: str) -> str:
    return f"The river of {name} flows past the town of Town{name}. It is long and has many bends. Boats go there."


def squad(articles: int = 6, paragraphs: int = 4) -> dict[str, Any]:
    """Every paragraph with a question that has two answers, and one that has none."""
    impossible = {"question": "Why?", "id": "0", "is_impossible": True, "answers": []}

    def row(name: str) -> dict[str, Any]:
        question = f"Which town does the river of {name} pass?"
        answers = [{"text": f"Town{name}", "answer_start": 0}, {"text": f"the town of Town{name}", "answer_start": 0}]
        asked = {"question": question, "id": name, "is_impossible": False, "answers": answers}
        return {"context": river(name), "qas": [impossible, asked]}

    made = [
        {"title": f"A{number}", "paragraphs": [row(f"a{number}p{place}") for place in range(paragraphs)]}
        for number in range(articles)
    ]
    return {"version": "v2.0", "data": made}


def hotpot(questions: int = 12) -> list[dict[str, Any]]:
    """Every question with ten documents, of which two support its answer."""
    return [
        {
            "_id": str(number),
            "question": f"Which town does the river of q{number}d3 pass?",
            "answer": f"Townq{number}d3",
            "context": [
                [f"Title {number} {place}", [river(f"q{number}d{place}"), " So it is."]] for place in range(10)
            ],
            "supporting_facts": [[f"Title {number} 3", 0], [f"Title {number} 7", 1]],
        }
        for number in range(questions)
    ]
