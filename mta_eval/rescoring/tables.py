"""Rescored answers -> tables in Markdown, in which the rules stand side by side."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from statistics import mean

from mta_eval.rescoring.rows import Scores
from mta_eval.rescoring.scorers import STORED
from mta_eval.rescoring.scoring import Group, Rescored, Split
from mta_eval.rescoring.tallies import Tally, groups_of, measure, order_of, sorted_groups
from mta_eval.results.table import GAP, axis_text, interval_text, markdown_table, markdown_text, model_text

MOST_DIFFERING = 12  # groups of answers that a table of disagreements names
MOST_NAMED = 8  # cells that a line of unscored rows names


def unscored_text(rescored: Rescored, groups: Collection[Group]) -> str:
    """Lines, one for each rule and reason, of the rows of `groups` that it cannot score; "" if there are none."""
    counts: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (group, rule, reason), count in sorted(rescored.unscored.items(), key=lambda item: order_of(item[0].group)):
        if group in groups:
            counts[rule, reason] += count
            where[rule, reason].append(f"{group.task} at {group_length_text(group)}")
    return "".join(
        f"- `{rule}` cannot score {count} {'row' if count == 1 else 'rows'}, as {reason}: {_few(where[rule, reason])}\n"
        for (rule, reason), count in counts.items()
    )


def _few(texts: Sequence[str]) -> str:
    more = f" and {len(texts) - MOST_NAMED} more" if len(texts) > MOST_NAMED else ""
    return ", ".join(texts[:MOST_NAMED]) + more


def group_percent_text(share: float, group: Group, rule: str) -> str:
    """A mean as the published tables have it: "92.71 %"; a judge's score out of ten: "7.5 of 10"."""
    if group.kind == "needlehaystack" and rule == STORED:
        return f"{10 * share:.4g} of 10"
    return f"{100 * share:.2f}".rstrip("0").rstrip(".") + " %"


def group_length_text(group: Group) -> str:
    """The group's length as it stands in tables; "–" where it is unknown."""
    return GAP if group.length is None else axis_text("length", group.length)


def title_of(group: Group) -> str:
    """Whose answers these are: the model, and the setting where there is one."""
    return f"{model_text(group.model)} · {group.setting}" if group.setting else model_text(group.model)


def sections(rescored: Rescored) -> Iterator[str]:
    """For each model and setting: the rules side by side, then each rule's tasks x lengths if there are several."""
    whole = groups_of(rescored)
    for (_, title), groups in _by_title(whole).items():
        rules = [*dict.fromkeys(rule for group in groups for rule in whole[group])]
        rows = [
            [group.task, group_length_text(group), *(_cell(whole[group].get(rule), group, rule) for rule in rules)]
            for group in groups
        ]
        text = f"## {title}\n\n" + markdown_table(["task", "length", *rules], rows, left=2)
        if missing := unscored_text(rescored, groups):
            text += f"\n{missing}"
        if len({group.length for group in groups}) > 1 and len({group.task for group in groups}) > 1:
            text += "".join(f"\n### {title}: {rule}\n\n{_pivot(groups, whole, rule)}" for rule in rules)
        yield text


def by_task(rescored: Rescored) -> str:
    """For each kind and rule a table, models x tasks: the plain mean over the lengths that a model has of a task."""
    whole, text = groups_of(rescored), ""
    for kind, rule in dict.fromkeys((group.kind, rule) for group, tally in whole.items() for rule in tally):
        groups = [group for group in whole if group.kind == kind and rule in whole[group]]
        tasks = sorted({group.task for group in groups}, key=lambda task: (len(task), task))
        means: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for group in groups:
            means[title_of(group)][group.task].append(_mean(whole[group][rule]))
        rows = [
            [title, *(group_percent_text(mean(own[task]), groups[0], rule) if task in own else GAP for task in tasks)]
            for title, own in means.items()
        ]
        text += f"### {kind}: {markdown_text(rule)}\n\n{markdown_table(['model', *tasks], rows, left=1)}\n"
    return text


def disagreements(rescored: Rescored) -> str:
    """For each two rules: how many answers both, one or none of them has right; all groups, then those that differ."""
    pairs: dict[tuple[str, str], list[tuple[Group, list[int]]]] = defaultdict(list)
    for split, counts in sorted(rescored.splits.items(), key=_order_of_split):
        pairs[split.first, split.second].append((split.group, counts))
    text = ""
    for (first, second), groups in pairs.items():
        total = [sum(column) for column in zip(*(counts for _, counts in groups), strict=True)]
        rows = [["all", "", "", *_split_texts(total)]]
        differing = [(group, counts) for group, counts in groups if counts[1] or counts[2]]
        more = max(0, len(differing) - MOST_DIFFERING)
        differing = (
            sorted(differing, key=lambda item: -(item[1][1] + item[1][2]))[:MOST_DIFFERING] if more else differing
        )
        rows += [
            [title_of(group), group.task, group_length_text(group), *_split_texts(counts)]
            for group, counts in differing
        ]
        head = ["answers", "task", "length", "both", f"only {first}", f"only {second}", "neither", "differ"]
        text += f"### {markdown_text(first)} and {markdown_text(second)}\n\n{markdown_table(head, rows, left=3)}\n"
        text += f"{more} more groups differ, in fewer answers.\n\n" if more else ""
    return text


def best_settings(rescored: Rescored) -> str:
    """BABILong's published table of a model that ran with several prompts: for each task its best prompt's row.

    The best has the highest average over the lengths, where a length that it lacks counts -1 (booydar/babilong
    `collect_results.py`); of equals the first by name. Empty where no model has several settings.
    """
    whole = {group: tally for group, tally in groups_of(rescored).items() if group.kind == "babilong"}
    rules = [*dict.fromkeys(rule for tally in whole.values() for rule in tally)]
    text = ""
    for model in dict.fromkeys(group.model for group in whole):
        settings = sorted({group.setting for group in whole if group.model == model})
        for rule in rules if len(settings) > 1 else ():
            chosen = best_prompts({group: whole[group] for group in whole if group.model == model}, rule)
            name = markdown_text(model_text(model))
            text += f"### {name}: {rule}, each task's best prompt\n\n{_pivot(chosen, whole, rule)}\n"
    return text


def best_prompts(whole: Mapping[Group, Tally], rule: str) -> list[Group]:
    """The groups of one model's BABILong answers, of each task those of its best prompt; see `best_settings`."""
    lengths = {group.length for group in whole}
    rows: dict[str, dict[str, list[Group]]] = defaultdict(lambda: defaultdict(list))
    for group in sorted(whole, key=lambda group: group.setting):
        if rule in whole[group]:
            rows[group.task][group.setting].append(group)

    def average(groups: list[Group]) -> float:
        return sum(100 * _mean(whole[group][rule]) for group in groups) - (len(lengths) - len(groups))

    best = [max(settings.values(), key=average) for settings in rows.values()]
    return sorted_groups(group for groups in best for group in groups)


def _pivot(groups: Sequence[Group], whole: dict[Group, Tally], rule: str) -> str:
    """Tasks down, lengths across; below BABILong's the average over the tasks, which is the mean of their means."""
    lengths = [*dict.fromkeys(group.length for group in sorted(groups, key=lambda group: group.length or 0))]
    tasks = [*dict.fromkeys(group.task for group in groups)]
    cells = {(group.task, group.length): group for group in groups if rule in whole[group]}
    head = ["task", *(GAP if length is None else axis_text("length", length) for length in lengths)]
    rows = []
    for task in tasks:
        row = [cells.get((task, length)) for length in lengths]
        rows.append([task, *(GAP if group is None else _cell(whole[group][rule], group, rule) for group in row)])
    if all(group.kind == "babilong" for group in groups) and len(tasks) > 1:
        rows.append(["average", *(_average(cells, tasks, length, whole, rule) for length in lengths)])
    return markdown_table(head, rows, left=1)


def _average(
    cells: dict[tuple[str, int | None], Group],
    tasks: Sequence[str],
    length: int | None,
    whole: dict[Group, Tally],
    rule: str,
) -> str:
    measured = [cells[task, length] for task in tasks if (task, length) in cells]
    if not measured:
        return GAP
    over_tasks = sum(_mean(whole[group][rule]) for group in measured) / len(measured)
    missing = f" ({len(measured)} of {len(tasks)} tasks)" if len(measured) < len(tasks) else ""
    return group_percent_text(over_tasks, measured[0], rule) + missing


def _cell(counts: Scores | None, group: Group, rule: str) -> str:
    if not counts:
        return GAP
    found = measure(counts)
    interval = "" if group.kind == "needlehaystack" and rule == STORED else f" {interval_text(found.low, found.high)}"
    return f"{group_percent_text(found.mean, group, rule)}{interval}, n={counts.total()}"


def _mean(counts: Scores) -> float:
    return sum(score * count for (score, _), count in counts.items()) / counts.total()


def _split_texts(counts: Sequence[int]) -> list[str]:
    return [*map(str, counts), f"{100 * (counts[1] + counts[2]) / sum(counts):.3g} %"]


def _by_title(groups: Iterable[Group]) -> dict[tuple[str, str], list[Group]]:
    titles: dict[tuple[str, str], list[Group]] = defaultdict(list)
    for group in groups:
        titles[group.kind, title_of(group)].append(group)
    return titles


def _order_of_split(item: tuple[Split, list[int]]) -> tuple[object, ...]:
    return item[0].first, item[0].second, *order_of(item[0].group)
