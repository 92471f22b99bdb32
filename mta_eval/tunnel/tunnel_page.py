"""tunnel.html: all of a tunnel on one page that needs no network and no script."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from mta_eval.errors import StoreError
from mta_eval.results.page.build import Inlined, inline_picture
from mta_eval.results.page.template import HERE, template
from mta_eval.results.pictures.gallery import Picture
from mta_eval.tunnel.attention_maps import MapPicture
from mta_eval.tunnel.training_run import FACTOR
from mta_eval.tunnel.tunnel_result import Tunnel
from mta_eval.tunnel.tunnel_tables import protocol, rate_table, result_tables, time_table
from mta_eval.whole_files import write_text

TEMPLATE = "tunnel.html.j2"


def write_page(tunnel: Tunnel, out: Path, maps: Sequence[MapPicture], why_no_maps: str = "") -> Path:
    """Writes out/tunnel.html, with out/tunnel.svg and the maps in it; returns its path. Raises StoreError."""
    path = out / "tunnel.html"
    try:
        write_text(path, page_text(tunnel, out / "tunnel.svg", maps, why_no_maps))
    except OSError as error:
        raise StoreError(f"cannot write {str(path)!r}: {error.strerror or error}") from error
    return path


def page_text(tunnel: Tunnel, figure: Path, maps: Sequence[MapPicture], why_no_maps: str) -> str:
    """The page; `figure` and the maps are SVG files, `why_no_maps` stands in their place. Raises OSError."""
    variants = tunnel.plan.variants
    return template(TEMPLATE, Path(__file__).parent).render(
        style=Markup((HERE / "page.css").read_text("utf-8")),
        title=f"{variants[0].title} in the tunnel",
        counts=[f"{len(variants)} variants", f"{len(tunnel.plan.tasks)} tasks", f"seeds: {tunnel.plan.preset.seeds}"],
        axis_verdicts=tunnel.axis_verdicts,
        verdicts=list(tunnel.verdicts.values()),
        notes=tunnel.notes,
        figure=_inlined(figure, f"Errors, steps and seconds of every seed; hollow: rows {FACTOR} times longer"),
        tables=result_tables(tunnel),
        protocol=protocol(tunnel),
        after=[rate_table(tunnel), time_table(tunnel)],
        variants=variants,
        maps=[_inlined(one.path, one.title) for one in maps],
        why_no_maps=why_no_maps,
        made=tunnel.made,
    )


def _inlined(svg: Path, title: str) -> Inlined:
    return inline_picture(Picture("", title, "", svg, ""), "")
