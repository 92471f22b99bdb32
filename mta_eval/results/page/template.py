"""The templates of pages, and the filters that they use."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

HERE = Path(__file__).parent
LONGEST_OUTPUT = 400  # characters of an answer in an example


def template(name: str, folder: Path = HERE) -> jinja2.Template:
    """A template of a folder."""
    # Autoescape always: model answers are shown, and nobody knows what a model says.
    pages = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= {"shorten": _shorten, "breakable": _breakable}
    return pages.get_template(name)


def _shorten(text: str) -> str:
    rest = len(text) - LONGEST_OUTPUT
    return text if rest <= 0 else f"{text[:LONGEST_OUTPUT]}… ({rest} more characters)"


def _breakable(text: str) -> Markup:
    """`text`, escaped, that a narrow page may break where a spec has its joints."""
    return Markup(re.sub(r"([,:=/](?!/))", r"\1<wbr>", str(escape(text))))
