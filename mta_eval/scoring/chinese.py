"""Chinese cut into words as LongBench's metrics.py does: by jieba, in its accurate mode, with its own dictionary.

jieba is an extra of this package ("chinese"): its dictionary is large, and no other rule needs it. Its words decide
scores, so the extra pins its version, and nothing outside of it counts: neither words that others taught jieba's own
segmenter nor the cache of its dictionary in the folder for temporary files, which anyone may have written.
"""

from __future__ import annotations

import string
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache
from importlib.util import find_spec

from mta_eval.errors import SpecError

MISSING = "it needs the package jieba, which cuts Chinese into words: pip install 'mta-eval[chinese]'"
# The marks that LongBench's normalize_zh_answer removes, by their places in Unicode. "《" and "．" are not among them.
_FIRST, _LAST = "！／：［｛。｡、》〔〰〾–‘‛…﹏", "－／＠｀｠。､〃】〟〰〿—’‟‧﹏"  # of each range
_MARKS = {chr(code) for first, last in zip(_FIRST, _LAST, strict=True) for code in range(ord(first), ord(last) + 1)}
_REMOVED = str.maketrans("", "", string.punctuation + "".join(sorted(_MARKS)))


def needs_segmenter() -> str:
    """Why no Chinese can be cut here, "" if it can."""
    return "" if _is_installed() else MISSING


@lru_cache(maxsize=8)  # one answer stands against several targets
def cut_words(text: str) -> tuple[str, ...]:
    """The words of a text, white space and marks among them. Raises SpecError without jieba."""
    return tuple(_segmenter()(text))


def bare_words(text: str) -> list[str]:
    """The words of a text in small letters, without marks and white space; what is nothing then is left out."""
    bare = ("".join(word.lower().translate(_REMOVED).split()) for word in cut_words(text))
    return [word for word in bare if word]


@lru_cache
def _is_installed() -> bool:
    return find_spec("jieba") is not None


@lru_cache
def _segmenter() -> Callable[[str], Iterable[str]]:
    if not _is_installed():
        raise SpecError(f"the Chinese rules of LongBench: {MISSING}")
    with warnings.catch_warnings(action="ignore"):  # of its escapes, and of setuptools' pkg_resources
        import jieba
    cutter = jieba.Tokenizer()
    # what its initialize() does without a cache: that would read, and leave, a file in the folder for temporary files
    cutter.FREQ, cutter.total = cutter.gen_pfdict(cutter.get_dict_file())
    cutter.initialized = True
    return lambda text: cutter.cut(text)  # accurate mode, unknown words by its hidden Markov model
