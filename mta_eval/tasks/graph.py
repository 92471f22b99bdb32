"""Graph search in a list of edges: which nodes point to a node, or how far does one reach?

    kfzqa -> mwoyt
    dhcbe -> mwoyt
    …
    Which nodes have an edge to mwoyt?
    Answer: -> kfzqa, dhcbe

In the manner of GraphWalks (OpenAI 2025), with graphs of our own: nodes are random codes, every edge is a line, and the
answer is a set that must be met exactly. `ask=parents` takes one look-up with several hits; `ask=reachable` takes a
breadth-first search of `hops` steps, each of which doubles the set.

Baselines: none solves it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from string import ascii_lowercase
from typing import ClassVar, Literal

from mta_eval.tasks.lists import ListAnswer, ListContext, build_list_sample, lines_among
from mta_eval.tasks.toolkit import (
    Cell,
    NeedleDraft,
    Sample,
    SpecError,
    Tokenizer,
    answer_budget,
    depth_of,
    draw_key,
    find_rule,
    generator,
)

MOST_NODES, MOST_HOPS, FAN_OUT = 16, 4, 2
LETTERS, FEWEST = 5, 6
EDGES_A_NODE = 2  # of the edges that nobody asks for


@dataclass(frozen=True)
class Graph:
    """Graph search: which nodes point to a node, or stand some steps from it, in a list of edges? (after GraphWalks)"""

    name: ClassVar[str] = "graph"
    default_lengths: ClassVar[tuple[int, ...]] = (1024, 2048)
    rule: ClassVar[str] = "same_set"

    ask: Literal["parents", "reachable"] = field(
        default="parents", metadata={"help": "nodes with an edge to one, or those some steps away from one"}
    )
    nodes: int = field(default=2, metadata={"help": f"parents of the node asked for, 1 to {MOST_NODES}"})
    hops: int = field(
        default=2, metadata={"help": f"steps of ask=reachable, 1 to {MOST_HOPS}; each node there has {FAN_OUT} edges"}
    )
    prompt: Literal["completion", "chat"] = field(
        default="completion", metadata={"help": "end in 'Answer:', or ask by chat template"}
    )

    def __post_init__(self) -> None:
        if not 1 <= self.nodes <= MOST_NODES:
            raise SpecError(f"graph: nodes must be 1 to {MOST_NODES}, not {self.nodes}")
        if not 1 <= self.hops <= MOST_HOPS:
            raise SpecError(f"graph: hops must be 1 to {MOST_HOPS}, not {self.hops}")

    def sample(self, cell: Cell, seed: int, tokenizer: Tokenizer) -> Sample:
        """See core.Task."""
        key = draw_key(cell.length, 512 + 40 * FAN_OUT**self.hops)
        random = generator(seed, self.name, self.ask, cell.repeat, key)
        edges = _Edges(random, self.ask, self.nodes, self.hops)
        places = [depth_of(cell, random), *(random.random() for _ in edges.asked[1:])]

        rows = sorted(zip(edges.asked, places, strict=True))
        drafts = [(NeedleDraft(_line(*edge), 0.0, *edge), depth) for edge, depth in rows]

        def lay(count: int) -> ListContext:
            text, needles = lines_among(drafts, edges.lines(count))
            return ListContext(text, needles, (("edges", count + len(drafts)),))

        return build_list_sample(
            self,
            cell,
            tokenizer,
            lay,
            ListAnswer(
                targets=edges.answer,
                rule=self.rule,
                budget=answer_budget(tokenizer, ", ".join(edges.answer), 4 if self.prompt == "completion" else 24),
                fixed=False,
                stop=("\n",),
            ),
            words=self._words(edges.start),
            chat=self.prompt == "chat",
            least=FEWEST,
            axes={"ask": self.ask, "answers": len(edges.answer)}
            | ({"hops": self.hops} if self.ask == "reachable" else {}),
            draw_name=f"{self.name}:{self.ask}/{key}/{cell.repeat}",
        )

    def score(self, sample: Sample, output: str) -> float:
        """1 if the output lists exactly the nodes asked for."""
        return find_rule(self.rule).score(sample, output)

    def _words(self, start: str) -> tuple[str, str]:
        before = "Each line is an edge of a directed graph: from the first node to the second.\n\n"
        ask = f"Which nodes have an edge to {start}?"
        if self.ask == "reachable":
            steps = "one edge" if self.hops == 1 else f"exactly {self.hops} edges in a row"
            ask = f"Which nodes do you reach from {start} by {steps}?"
        how = " List all of them and nothing else, joined by commas."
        return before, f"\n\nQuestion: {ask}{how}" + ("" if self.prompt == "chat" else "\nAnswer:")


class _Edges:
    """The edges that matter, from `start` or to it, and as many others as are wanted.

    Others never lead to the node whose parents are asked for, nor out of a node that the search passes.
    """

    def __init__(self, random: Random, ask: str, nodes: int, hops: int) -> None:
        self._random = Random(random.getrandbits(64))
        self._nodes: list[str] = []
        self._taken: set[str] = set()
        self._others: dict[tuple[str, str], None] = {}  # in order
        self.start = self._new_node()
        self._closed_sources, self._closed_sinks = set[str](), set[str]()
        self.asked: list[tuple[str, str]] = []
        found = [self.start]
        if ask == "parents":
            found = [self._new_node() for _ in range(nodes)]
            self.asked = [(node, self.start) for node in found]
            self._closed_sinks.add(self.start)
        else:
            for _ in range(hops):
                self._closed_sources.update(found)
                edges = [(node, self._new_node()) for node in found for _ in range(FAN_OUT)]
                self.asked += edges
                found = [sink for _, sink in edges]
        self.answer = tuple(found)
        random.shuffle(self.asked)

    def lines(self, count: int) -> list[str]:
        """The first `count` edges that nobody asks for."""
        while len(self._others) < count:
            source, sink = self._any_node(), self._any_node()
            if source != sink and source not in self._closed_sources and sink not in self._closed_sinks:
                self._others[source, sink] = None
        return [_line(*edge) for edge in list(self._others)[:count]]

    def _any_node(self) -> str:
        fresh = self._random.randrange(2 * EDGES_A_NODE) == 0
        return self._new_node() if fresh else self._random.choice(self._nodes)

    def _new_node(self) -> str:
        while True:
            code = "".join(self._random.choice(ascii_lowercase) for _ in range(LETTERS))
            if code not in self._taken:
                self._taken.add(code)
                self._nodes.append(code)
                return code


def _line(source: str, sink: str) -> str:
    return f"{source} -> {sink}"
