"""The languages by their ISO 639-1 codes. A file is imported when its language is asked for."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from mta_eval.errors import SpecError, did_you_mean
from mta_eval.tasks.languages.pack import Language

LANGUAGES = {
    "en": "english:ENGLISH",
    "de": "german:GERMAN",
    "fr": "french:FRENCH",
    "es": "spanish:SPANISH",
    "zh": "chinese:CHINESE",
    "ja": "japanese:JAPANESE",
    "ar": "arabic:ARABIC",
    "hi": "hindi:HINDI",
}


@cache
def find_language(code: str) -> Language:
    """The language pack of a code. Raises SpecError."""
    if code not in LANGUAGES:
        raise SpecError(f"there is no language pack {code!r}{did_you_mean(code, LANGUAGES)}")
    module, _, name = LANGUAGES[code].partition(":")
    found: Language = getattr(import_module(f"mta_eval.tasks.languages.{module}"), name)
    return found
