"""Records -> the text of one page, without any file beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mta_eval.core import Record, Run
from mta_eval.results.findings import findings_of
from mta_eval.results.length_rule import LENGTH_RULE, LengthRule
from mta_eval.results.page.build import PageOptions, build_page
from mta_eval.results.page.identity import facts_of
from mta_eval.results.page.sections import make_sections
from mta_eval.results.summary import summaries


def make_page(
    records: Sequence[Record],
    x: str,
    y: str,
    runs: Sequence[tuple[str, Run]],
    options: PageOptions,
    rule: LengthRule = LENGTH_RULE,
) -> Iterator[str]:
    """The text of a page over the axes `x` and `y`, in parts as they are made."""
    sections, facts = make_sections(records, x, y), facts_of(records, runs)
    return build_page(records, sections, summaries(records), findings_of(records, rule), facts, runs, (), options)
