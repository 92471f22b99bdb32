"""What a page's script reads, out of its HTML."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any


def data_of(page: str, element: str = "data") -> Any:
    """The packed data of a page, or of one of its blocks ("block-0")."""
    found = re.search(rf'<script type="text/plain" id="{element}">([^<]+)</script>', page)
    assert found, f"the page has no {element}"
    return json.loads(zlib.decompress(base64.b64decode(found[1])))
