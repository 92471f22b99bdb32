"""What a run was asked, as parts: the fewest blocks of tasks x models x a sweep that hold each of its samples once.

Two runs that were asked the same have the same parts, however they came to it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from mta_eval.core import Cell, Plan, Record, Run, RunPart, Sweep, cell_of
from mta_eval.errors import SpecError

Place = tuple[int, float | None]  # length, depth
Block = tuple[str, str, int]  # task, model, seed
Counts = dict[Block, dict[Place, int]]  # how many repeats each place of a block has; they count from 0


def parts_of_plan(plan: Plan) -> tuple[RunPart, ...]:
    """The parts of what a plan asks."""
    counts: Counts = {}
    for one in plan.by_seed():
        for model in plan.models:
            for task in plan.tasks:
                _count(counts, (task, model, one.sweep.seed), one.cells_of(task, model))
    return parts_of_counts(counts, tuple(plan.tasks), tuple(plan.models))


def parts_of_run(run: Run, records: Sequence[Record]) -> tuple[RunPart, ...]:
    """The parts of a run. One of an earlier version wrote none: they are its whole sweep or, where that does not say
    which lengths were asked or how many texts were read, what its records hold."""
    if run.parts:
        return run.parts
    product = _product(run)
    if product and run.samples in (0, samples_in(product)):
        return product
    found = [((one.task, one.model, run.seed_of(one)), cell_or_none(one.sample_id)) for one in records]
    return parts_of_samples(((block, cell) for block, cell in found if cell), run.tasks, run.models)


def parts_of_samples(
    samples: Iterable[tuple[Block, Cell]], tasks: Sequence[str], models: Sequence[str]
) -> tuple[RunPart, ...]:
    """The parts of samples, each by its (task, model, seed) and cell; repeats left out below one are in them, too."""
    counts: Counts = {}
    for block, cell in samples:
        _count(counts, block, [cell])
    return parts_of_counts(counts, tasks, models)


def united(first: Sequence[RunPart], second: Sequence[RunPart], run: Run) -> tuple[RunPart, ...]:
    """The parts of all that is in either; `run` has the order of tasks and models."""
    return parts_of_counts(_counts([*first, *second]), run.tasks, run.models)


def samples_in(parts: Sequence[RunPart]) -> int:
    """How many samples are in parts."""
    return sum(sum(places.values()) for places in _counts(parts).values())


def membership(parts: Sequence[RunPart]) -> Callable[[str, str, int, Cell], bool]:
    """A function that says whether a sample, by (task, model, seed, cell), is in parts."""
    counts = _counts(parts)
    return lambda task, model, seed, cell: cell.repeat < counts.get((task, model, seed), {}).get(_place(cell), 0)


def parts_of_counts(counts: Counts, tasks: Sequence[str], models: Sequence[str]) -> tuple[RunPart, ...]:
    """The parts of counts, by models and tasks as they are given, then by seed, length and depth."""
    by_sweep: dict[Sweep, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    model_at, task_at = _places_of(models), _places_of(tasks)
    order = sorted(counts, key=lambda block: (model_at[block[1]], task_at[block[0]], block[2]))
    for task, model, seed in order:
        for sweep in _sweeps(counts[task, model, seed], seed):
            by_sweep[sweep][model].append(task)
    parts = []
    for sweep, asked in by_sweep.items():
        by_tasks: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for model, its_tasks in asked.items():
            by_tasks[tuple(its_tasks)].append(model)
        parts += [RunPart(its_tasks, tuple(its_models), sweep) for its_tasks, its_models in by_tasks.items()]
    return tuple(parts)


def in_order(run: Run, records: Iterable[Record]) -> list[Record]:
    """Records as a run that asks all at once has them: by model, task, seed, length, repeat, the deepest first."""
    model_at, task_at = _places_of(run.models), _places_of(run.tasks)

    def place(record: Record) -> tuple[float, ...]:
        cell = cell_or_none(record.sample_id) or Cell(0, None, 0)  # of lm-eval's benchmarks, which stay as they are
        depth = -1.0 if cell.depth is None else cell.depth
        names = model_at[record.model], task_at[record.task]
        return *names, run.seed_of(record), cell.length, cell.repeat, -depth

    return sorted(records, key=place)


def cell_or_none(sample_id: str) -> Cell | None:
    """The cell that the end of a sample's id names, None if it is no id of ours."""
    try:
        return cell_of(sample_id)
    except (ValueError, SpecError):
        return None


def _counts(parts: Sequence[RunPart]) -> Counts:
    counts: Counts = {}
    for part in parts:
        sweep = part.sweep
        last = [Cell(length, depth, sweep.repeats - 1) for length in sweep.lengths for depth in sweep.depths]
        for task in part.tasks:
            for model in part.models:
                _count(counts, (task, model, sweep.seed), last if sweep.repeats else [])
    return counts


def _count(counts: Counts, block: Block, cells: Iterable[Cell]) -> None:
    places = counts.setdefault(block, {})
    for cell in cells:
        places[_place(cell)] = max(places.get(_place(cell), 0), cell.repeat + 1)


def _places_of(names: Sequence[str]) -> dict[str, int]:
    """The place of each name; names that are not there come last."""
    return defaultdict(lambda: len(names), {name: place for place, name in enumerate(names)})


def _place(cell: Cell) -> Place:
    """Where a cell stands; depths as the ids of samples have them."""
    return cell.length, None if cell.depth is None else round(cell.depth, 6)


def _sweeps(places: dict[Place, int], seed: int) -> list[Sweep]:
    """The fewest sweeps that hold these places with their repeats, lengths and depths in order."""
    rows: dict[int, dict[int, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    for length, depth in sorted(places, key=lambda place: (place[0], -1.0 if place[1] is None else place[1])):
        rows[length][places[length, depth]].append(depth)
    blocks: dict[tuple[tuple[float | None, ...], int], list[int]] = defaultdict(list)
    for length, by_repeats in rows.items():
        for repeats, depths in by_repeats.items():
            blocks[tuple(depths), repeats].append(length)
    return [Sweep(tuple(lengths), depths, repeats, seed) for (depths, repeats), lengths in blocks.items()]


def _product(run: Run) -> tuple[RunPart, ...]:
    """Every task, model and cell of a run's sweep, but the lengths that were beyond a model's window."""
    beyond = run.environment.get("lengths beyond the window")
    counts: Counts = {}
    for model in run.models:
        left_out = beyond.get(model) if isinstance(beyond, dict) else None
        lengths = [length for length in run.sweep.lengths if not isinstance(left_out, list) or length not in left_out]
        sweep = Sweep(tuple(lengths), run.sweep.depths, run.sweep.repeats, run.sweep.seed)
        counts |= _counts([RunPart(run.tasks, (model,), sweep)])
    return parts_of_counts(counts, run.tasks, run.models)
