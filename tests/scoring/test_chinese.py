"""LongBench's rules for Chinese against values worked out by hand, with the words of jieba and without it."""

import importlib.util
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

from mta_eval.errors import SpecError
from mta_eval.scoring import ScoredOutput, chinese, find

CUT = {
    "我住在北京。": ["我", "住", "在", "北京", "。"],
    "北京": ["北京"],
    "在 ABC 公司": ["在", " ", "ABC", " ", "公司"],
    "《abc》公司": ["《", "abc", "》", "公司"],
    "公司公司": ["公司", "公司"],
    "a.b": ["a", ".", "b"],
}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    def forget() -> None:
        for cached in (chinese.cut_words, chinese._is_installed, chinese._segmenter):
            cached.cache_clear()

    forget()
    yield
    forget()


@pytest.fixture
def _by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chinese, "_is_installed", lru_cache(lambda: True))
    monkeypatch.setattr(chinese, "_segmenter", lru_cache(lambda: CUT.__getitem__))


def zh_score(rule: str, output: str, *targets: str) -> float:
    return find(rule)(ScoredOutput(output, targets))


@pytest.mark.usefixtures("_by_hand")
def test_chinese_f1_is_of_words_without_marks_white_space_and_case() -> None:
    # 我 住 在 北京 against 北京: P 1/4, R 1/1, F 2/5
    assert zh_score("longbench_qa_f1_zh", "我住在北京。", "北京") == pytest.approx(2 / 5)
    # 在 abc 公司 against 《 abc 公司 (only the closing bracket is a mark): P 2/3, R 2/3
    assert zh_score("longbench_qa_f1_zh", "在 ABC 公司", "北京", "《abc》公司") == pytest.approx(2 / 3)
    # 公司 twice against 在 abc 公司: P 1/2, R 1/3, F 2/5
    assert zh_score("longbench_qa_f1_zh", "公司公司", "在 ABC 公司") == pytest.approx(2 / 5)
    assert chinese.bare_words("a.b") == ["a", "b"]


@pytest.mark.usefixtures("_by_hand")
def test_chinese_rouge_l_is_of_words_marks_included() -> None:
    # 在 of {在, ABC, 公司} and of {我, 住, 在, 北京, 。}: P 1/3, R 1/5, F 1/4
    assert zh_score("longbench_rouge_l_zh", "在 ABC 公司", "我住在北京。") == pytest.approx(1 / 4, abs=1e-7)
    # 公司 of {公司} and of {《, abc, 》, 公司}: P 1, R 1/4, F 2/5
    assert zh_score("longbench_rouge_l_zh", "公司公司", "北京", "《abc》公司") == pytest.approx(2 / 5, abs=1e-7)
    assert zh_score("longbench_rouge_l_zh", "a.b", "a.b") == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize("mark", [*"！？。，、；：“”‘’（）【】》…—·％～"])
def test_marks_are_removed_but_for_those_that_are_not_listed(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chinese, "cut_words", lru_cache(lambda text: (text,)))
    assert chinese.bare_words(f"京{mark}A\u3000 b") == (["京·ab"] if mark == "·" else ["京ab"])


def test_without_jieba_the_rules_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chinese, "find_spec", lambda _: None)
    for rule in ("longbench_qa_f1_zh", "longbench_rouge_l_zh"):
        assert find(rule).refuse(ScoredOutput("京", ("京",))) == chinese.MISSING
        assert find(rule).refuse(ScoredOutput("京", ())) == "it needs a target"
        with pytest.raises(SpecError, match=r"needs the package jieba.*pip install 'mta-eval\[chinese\]'"):
            zh_score(rule, "京", "京")


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("jieba") is None, reason="needs jieba")
def test_jieba_cuts_in_its_accurate_mode_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert chinese.needs_segmenter() == ""
    assert chinese.cut_words("我来到北京清华大学。") == ("我", "来到", "北京", "清华大学", "。")
    assert chinese.cut_words("他来到了网易杭研大厦")[-2:] == ("杭研", "大厦")  # 杭研 is in no dictionary
    # 来到 清华大学 of 我 来到 清华大学 and of 来到 北京 清华大学: P 2/3, R 2/3
    assert zh_score("longbench_qa_f1_zh", "我来到清华大学。", "来到北京清华大学") == pytest.approx(2 / 3)
    assert list(tmp_path.iterdir()) == []
