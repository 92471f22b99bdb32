"""Which rules are published for which outputs, and which fit our own records."""

from __future__ import annotations

from mta_eval.core import Record
from mta_eval.scoring.longbench import dataset_of
from mta_eval.scoring.rules import ScoredOutput, find

INFINITEBENCH = {
    "passkey": "infinitebench_passkey",
    "number_string": "infinitebench_number_string",
    **dict.fromkeys(("kv_retrieval", "kv_retrieval_prefix", "kv_retrieval_both"), "infinitebench_kv_retrieval"),
}
LONGBENCH = {
    **dict.fromkeys(
        ("narrativeqa", "qasper", "multifieldqa_en", "hotpotqa", "2wikimqa", "musique", "triviaqa"), "qa_f1"
    ),
    **dict.fromkeys(("gov_report", "qmsum", "multi_news", "samsum"), "rouge_l"),
    "multifieldqa_zh": "qa_f1_zh",
    **dict.fromkeys(("dureader", "vcsum"), "rouge_l_zh"),
    **dict.fromkeys(("trec", "lsht"), "classification"),
    **dict.fromkeys(("passage_retrieval_en", "passage_retrieval_zh"), "retrieval"),
    **dict.fromkeys(("lcc", "repobench-p"), "code_sim"),
    "passage_count": "count",
    "v2": "v2",
}
"""LongBench's data sets and their rules, which are called "longbench_" and this; of those that we can score."""
NOLIMA_RULES = {
    "contains": "nolima_contains",
    "EM": "nolima_em",
    "lastline_EM": "nolima_lastline_em",
    "lastline_contains": "nolima_lastline_contains",
}
"""NoLiMa's metrics, its published one first, and their rules."""
HELMET_METRICS = {
    **dict.fromkeys(("ruler_qa_", "json_kv", "nq", "popqa", "triviaqa", "hotpotqa"), "substring_exact_match"),
    "ruler_": "ruler_recall",
    **dict.fromkeys(("icl_", "infbench_choice"), "exact_match"),
    "infbench_qa": "rougeL_f1",
    "msmarco": "NDCG@10",
}
"""What HELMET reports (scripts/collect_results.py) of data sets whose names hold these: the first that fits. Of all
others it reports what a judge says."""
HELMET_RULES = {"ruler_recall": "helmet_recall", "substring_exact_match": "helmet_substring"}
OTHER_TASKS = ("ruler_all", "ruler_part", "all_contained", "first_word")
OUR_TASKS = {
    "babilong": ("babilong_official", "babilong_lm_eval", "babilong_one_label", "first_word"),
    "letter_blocks": ("first_word", "ruler_all"),
    "niah": (*OTHER_TASKS, "all_named", "infinitebench_passkey", "infinitebench_kv_retrieval"),
    "passkey": ("infinitebench_passkey", "one_number", "first_word", "ruler_all", "infinitebench_kv_retrieval"),
}


def published_for(scored: ScoredOutput) -> tuple[str, ...]:
    """The names of the rules that are published for this kind of output, its own benchmark's first; maybe none."""
    task = scored.task.partition(":")[0]
    if scored.qa is not None:
        return ("babilong_official", "babilong_lm_eval")
    if task in INFINITEBENCH:
        return (INFINITEBENCH[task],)
    if dataset := dataset_of(task):
        return (f"longbench_{LONGBENCH[dataset]}",) if dataset in LONGBENCH else ()
    if task.startswith("helmet_"):
        return _known(HELMET_RULES.get(helmet_metric(task)))
    if task in ("nolima", "nolima_direct"):
        return _known(NOLIMA_RULES.get(scored.task.partition(":metric=")[2] or "contains"))
    if task == "letter_blocks":
        return ("first_word",)
    if not scored.targets:
        return ()
    # RULER's own metric for its two question-answering tasks, and lm-eval's for the same; all others have one
    if task == "ruler_qa" or task.removeprefix("ruler_").startswith("qa_"):
        return ("ruler_part", "ruler_all")
    return ("ruler_all",)


def _known(name: str | None) -> tuple[str, ...]:
    return (name,) if name else ()


def helmet_metric(task: str) -> str:
    """The metric that HELMET reports of a data set, as its files name it; "" for one that a judge scores."""
    return next((metric for name, metric in HELMET_METRICS.items() if name in task), "")


def scores(record: Record) -> dict[str, float]:
    """What every rule that fits `record` makes of its output, by the rule's name; empty where nothing was answered."""
    if record.output is None:
        return {}
    scored = ScoredOutput.of(record, record.output)
    rules = [find(name) for name in OUR_TASKS.get(record.task.partition(":")[0], OTHER_TASKS)]
    return {rule.name: rule(scored) for rule in rules if not rule.refuse(scored)}
