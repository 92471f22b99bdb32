"""What a tunnel leaves: tunnel.json, tunnel.md and a figure, beside the folders of its trainings."""

from __future__ import annotations

import json
from pathlib import Path

from mta_eval.errors import StoreError
from mta_eval.tunnel.tunnel_figure import draw_tunnel
from mta_eval.tunnel.tunnel_json import as_json
from mta_eval.tunnel.tunnel_markdown import as_markdown
from mta_eval.tunnel.tunnel_result import Tunnel
from mta_eval.whole_files import write_text


def write_tunnel(tunnel: Tunnel, out: Path) -> list[Path]:
    """Writes tunnel.json, tunnel.md and the figure; returns their paths. Raises StoreError."""
    texts = {"tunnel.json": json.dumps(as_json(tunnel), indent=1) + "\n", "tunnel.md": as_markdown(tunnel)}
    try:
        for name, text in texts.items():
            write_text(out / name, text)
    except OSError as error:
        raise StoreError(f"cannot write {str(out)!r}: {error.strerror or error}") from error
    return [*(out / name for name in texts), *draw_tunnel(tunnel, out / "tunnel")]
