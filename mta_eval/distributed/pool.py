"""The crew: replicas on a cluster, who of them is asked what, and what becomes of those that die.

Samples go out in groups that share a haystack; records come back one by one. A group whose worker dies goes to
another one, from its first unanswered sample on.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from mta_eval import registry
from mta_eval.core import Plan, Record
from mta_eval.distributed import cluster
from mta_eval.distributed.cluster import Cluster, Placement
from mta_eval.distributed.replica import Facts, Home
from mta_eval.distributed.slot import DeadError, Post
from mta_eval.distributed.work_queue import Desk
from mta_eval.errors import ModelError, SpecError

TRIES = 3  # deaths without a record between them, until the rest of a group is given up
AHEAD = 2  # groups for each replica that may be asked while the first of them is unfinished
PATIENCE = 60.0  # seconds without a single replica, until the run is given up
LOOK = 1.0  # seconds at most between two looks at who lives
NAP = 0.1  # seconds between two looks at places that are not free yet


@contextmanager
def crew(wanted: Cluster, plan: Plan) -> Iterator[Crew]:
    """Replicas for a plan, ready to be asked; they end with the block.

    Raises SpecError where the cluster cannot be joined or has too little, or a model or task has no spec to be built
    from; ModelError and the like where a worker cannot make the models that the plan has.
    """
    _check_specs(plan)
    with cluster.joined(wanted.address):
        hired = Crew(cluster.place(wanted, cluster.resources()))
        try:
            hired.survey(plan)
            yield hired
        finally:
            hired.close()


class Crew:
    """Replicas on a cluster that has been joined."""

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self._facts: dict[str, Facts] = {}
        self._home = Home.here()
        self._posts = [Post(placement, self._home) for _ in range(placement.replicas)]
        self._deaths = 0  # since the last record
        self._manned = time.monotonic()  # when there last was a replica

    @property
    def settings(self) -> dict[str, Mapping[str, str]]:
        """What each model says of itself there: dtype, device, …"""
        return {model: facts.settings for model, facts in self._facts.items()}

    def survey(self, plan: Plan) -> None:
        """Let one replica look at every model. Raises MtaEvalError if it cannot, or has another tokenizer."""
        while not (ready := [post for post in self._posts if post.ready()]):
            self._wait_for_room()
        try:
            self._facts = ready[0].survey(plan.models)
        except DeadError as error:
            raise ModelError(f"the first worker died before it had seen the models: {error}") from error
        for name, model in plan.models.items():
            if self._facts[name].fingerprint != model.tokenizer.fingerprint:
                raise ModelError(f"the workers have another tokenizer of {name} than this machine; share one copy")

    def run(self, plan: Plan, done: Collection[tuple[str, str]] = ()) -> Iterator[Record]:
        """The records of `runner.run`, in its order. Raises as it does, and ModelError if no replica is left.

        A group whose workers die again and again becomes records with an error. Should the run break off, what came
        before its turn is yielded too.
        """
        desk = Desk(plan, done, self._facts)
        try:
            while not desk.finished:
                self._hand_out(desk)
                self._collect(desk)
                yield from desk.due()
        except (Exception, KeyboardInterrupt):
            yield from desk.early()
            raise

    def close(self) -> None:
        """End all replicas."""
        for post in self._posts:
            post.close()

    def _hand_out(self, desk: Desk) -> None:
        for post in self._posts:
            if post.group is None and post.ready() and (group := desk.next(AHEAD * len(self._posts))):
                post.ask(group, desk.question(group))

    def _collect(self, desk: Desk) -> None:
        """Take a record, and bury the dead."""
        import ray

        busy = {post.stream: post for post in self._posts if post.group is not None}
        if not busy:
            return self._wait_for_room()
        self._manned = time.monotonic()
        came, _ = ray.wait(list(busy), num_returns=1, timeout=LOOK)
        for stream, post in busy.items():
            if stream in came:
                self._receive(post, desk)
            elif not post.began and not post.ready():
                self._bury(post, desk, "its node is gone")
        return None

    def _receive(self, post: Post, desk: Desk) -> None:
        group = post.group
        assert group is not None
        try:
            record = post.receive()
        except DeadError as error:
            return self._bury(post, desk, str(error))
        if record is not None:
            group.records.append(record)
            group.deaths = self._deaths = 0
        return None

    def _bury(self, post: Post, desk: Desk, why: str) -> None:
        """A new post in a dead one's place, and its group back to the desk. Raises ModelError if all of them die."""
        group = post.group
        assert group is not None
        post.close()
        self._posts[self._posts.index(post)] = Post(self.placement, self._home)
        self._deaths += 1
        if self._deaths >= TRIES * (len(self._posts) + 1):
            raise ModelError(
                f"{self._deaths} workers died one after the other, and none gave an answer; the last: {why}"
            )
        group.deaths += 1
        if group.deaths < TRIES:
            desk.back(group)
        else:
            desk.give_up(group, f"its worker died {TRIES} times: {why}")

    def _wait_for_room(self) -> None:
        """Raises ModelError when there has been no replica for too long."""
        if time.monotonic() - self._manned > PATIENCE:
            raise ModelError(
                f"no room for a replica in {PATIENCE:g} seconds: {self.placement} wanted, and the cluster has "
                f"{cluster.told(cluster.resources())}, or others use it; the same command goes on from here"
            )
        time.sleep(NAP)


def _check_specs(plan: Plan) -> None:
    """Raises SpecError for a model or task that is no registered one, and so lives in this process alone."""
    things: list[tuple[Any, str, Any]] = [("models", spec, model) for spec, model in plan.models.items()]
    things += [("tasks", spec, task) for spec, task in plan.tasks.items()]
    for kind, spec, thing in things:
        name = registry.parse(spec)[0]
        if name not in registry.names(kind) or registry.find(kind, name) is not type(thing):
            raise SpecError(
                f"{spec} lives in this process alone; replicas build their {kind} from specs, such as hf:PATH"
            )
