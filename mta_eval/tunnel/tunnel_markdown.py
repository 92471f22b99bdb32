"""tunnel.md: verdicts and tables, for a README."""

from __future__ import annotations

from mta_eval.results.table import markdown_table, markdown_text
from mta_eval.tunnel.tunnel_result import Tunnel
from mta_eval.tunnel.tunnel_tables import TunnelTable, protocol, rate_table, result_tables, time_table


def as_markdown(tunnel: Tunnel) -> str:
    """The verdicts and tables. The times, which are other in every run, stand in a table of their own, the last."""
    parts = [
        f"# {markdown_text(tunnel.plan.variants[0].title)} in the tunnel\n",
        _list([*tunnel.axis_verdicts, *tunnel.verdicts.values()]),
        "![Wrong answers of every seed, steps until solved, and seconds a step](tunnel.png)\n",
        *map(_table, result_tables(tunnel)),
        f"## How it was compared\n\n{_list([*protocol(tunnel), *tunnel.notes])}",
        _table(rate_table(tunnel)),
        _table(time_table(tunnel)),
    ]
    return "\n".join(parts)


def _table(table: TunnelTable) -> str:
    return f"## {table.title}\n\n{table.note}\n\n{markdown_table(table.head, table.rows, left=1)}"


def _list(sentences: list[str]) -> str:
    return "".join(f"- {markdown_text(sentence)}\n" for sentence in sentences)
