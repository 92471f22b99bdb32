"""report.html as people meet it: opened from disk in headless Chromium, clicked, typed at, looked at.

All tests share one browser and one page; what a test leaves open, the next one's address closes.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from quoted_needles import quoted

from mta_eval.core import Record
from mta_eval.results import report
from mta_eval.results.report import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")

LENGTHS, DEPTHS, REPEATS = (512, 1024, 4096), (0.0, 0.5, 1.0), 5
SMOLLM2, LONG = "smollm2", "hf:a/very/long/path/to/a-model-with-a-long-name,dtype=bfloat16"
HOSTILE = "<script>window.broken = 1</script></script><img src=x onerror='window.broken = 2'>\u2028<!--"
CONTRAST = """() => {
  const parts = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const linear = (part) => part <= 10 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (node) => {
    const colour = parts(getComputedStyle(node).backgroundColor);
    return (colour[3] ?? 1) > 0 || !node.parentElement ? colour : behind(node.parentElement);
  };
  const hasText = (node) => [...node.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
  return [...document.querySelectorAll("body *:not(svg *, script, noscript, option, :disabled)")]
    .filter((node) => node.checkVisibility() && hasText(node))
    .map((node) => {
      const [low, high] = [parts(getComputedStyle(node).color), behind(node)].map(light).sort((a, b) => a - b);
      return [(high + 0.05) / (low + 0.05), node.tagName + " " + node.textContent.slice(0, 40)];
    }).filter(([ratio]) => ratio < 4.5);
}"""


def made(model: str, length: int, depth: float, repeat: int) -> Record:
    """Right where the needle is in the first half or the text is short; one of five elsewhere (LONG: all at 1K)."""
    right = length == 512 or depth < 0.5 or repeat == 0 or (model != SMOLLM2 and length == 1024)
    text, around = "The magic number of Oslo is 7421.", {"before": "They rowed home. ", "after": " Then it rained."}
    return Record(
        sample_id=f"niah/{length}/{depth:.2f}/{repeat}",
        task="niah",
        model=model,
        axes={"length": length, "depth": depth, "repeat": repeat},
        targets=["7421"],
        output="7421" if right else f"It says wrong{repeat}.",
        score=float(right),
        prompt_tokens=length - 24,
        max_new_tokens=24,
        seconds=0.5,
        needles=[quoted("7421", int(length * depth), True, text, depth=depth, **around)],
        question="The magic number of Oslo is",
        prompt_sha256="0" * 64,
    )


def odd(number: int, **known: Any) -> Record:
    base = made("smollm2", 512, 0.5, number)
    return Record(**{**vars(base), "sample_id": f"passkey/512/0.50/{number}", "task": "passkey", **known})


RECORDS = [
    *(
        made(model, length, depth, repeat)
        for model in (SMOLLM2, LONG)
        for length in LENGTHS
        for depth in DEPTHS
        for repeat in range(REPEATS)
    ),
    odd(0, output=HOSTILE, score=0.0, targets=[HOSTILE], model=HOSTILE),
    odd(1, output=None, score=None, error=HOSTILE),
    odd(2, needles=[quoted("1", 3, True)]),
    odd(3, truncated=True, output="half", score=0.5),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as driver:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(report, "draw_gallery", lambda *_: [])
        return write_report(RECORDS, tmp_path_factory.mktemp("report"))[0].as_uri()


@pytest.fixture(scope="module")
def desktop(browser: Any) -> Iterator[Any]:
    with opened(browser) as page:
        yield page


@pytest.fixture
def page(desktop: Any, address: str) -> Any:
    """The report, just opened, in light on a desktop."""
    return visit(desktop, address)


def visit(page: Any, address: str, state: str = "") -> Any:
    """The report at a state, and the page when it is ready."""
    page.goto("about:blank")
    page.goto(f"{address}#{state}" if state else address)
    page.locator("html[data-ready]").wait_for(state="attached")
    return page


@contextmanager
def opened(browser: Any, **options: Any) -> Iterator[Any]:
    """A page that is about to open reports; at the end nothing may have gone wrong in any of them."""
    context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
    page = context.new_page()
    page.set_default_timeout(20_000)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    yield page
    assert page.evaluate("window.broken") is None
    assert complaints == []
    context.close()


def listed(page: Any) -> list[str]:
    return [str(text) for text in page.locator("#list a .id").all_inner_texts()]


def cell(grid: int, row: int, column: int) -> str:
    return f"#task [data-cell='niah:{grid}:{row}:{column}']"


def ids(length: int, depth: float) -> list[str]:
    return [f"niah/{length}/{depth:.2f}/{repeat}" for repeat in range(REPEATS)]


def sample_of(number: int, model: str = SMOLLM2) -> str:
    return f"sample={quote(f'{model}/niah/4096/0.50/{number}', safe='')}"


def hash_of(page: Any) -> str:
    return str(page.evaluate("location.hash"))


def test_the_overview_says_who_wins_and_its_small_heatmaps_open_samples(page: Any) -> None:
    assert "smollm2 (70 % [33–84]) over 2 tasks." in page.locator(".lead").inner_text()
    rows = page.locator(".matrix tbody tr")
    assert rows.count() == 3
    assert "rank 1" in rows.first.inner_text()
    small = page.locator("[data-cursor='niah:0']")
    box = small.bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] * 0.5)
    assert page.locator("#tip").inner_text().startswith("niah, smollm2, length 4K, depth 50 %: 20 % [")
    small.focus()
    for key in ("ArrowDown", "ArrowUp"):
        page.keyboard.press(key)
    assert "1 of 5 right" in page.locator("#said").inner_text()
    page.keyboard.press("Enter")
    assert listed(page) == ids(4096, 0.5)


@pytest.mark.parametrize(("grid", "row", "column"), [(0, 0, 0), (1, 2, 1)])
def test_a_click_on_a_cell_shows_its_samples_and_no_other_and_back_goes_back(
    desktop: Any, address: str, grid: int, row: int, column: int
) -> None:
    page = visit(desktop, address, "view=task-niah")
    page.locator("#content").evaluate("one => { one.scrollTop = 40; }")
    page.locator(cell(grid, row, column)).click()
    assert listed(page) == ids(LENGTHS[column], DEPTHS[row])
    assert page.locator("#content").evaluate("one => one.scrollTop") == 40  # the other pane does not move
    assert hash_of(page) == f"#view=task-niah&cell=niah:{grid}:{row}:{column}"
    page.locator("#list a").nth(1).click()
    assert page.locator("#sample-head").inner_text() == ids(LENGTHS[column], DEPTHS[row])[1]
    page.go_back()
    page.locator("#list-view").wait_for()
    assert listed(page) == ids(LENGTHS[column], DEPTHS[row])
    page.go_back()
    page.get_by_text(f"{len(RECORDS)} of {len(RECORDS)} samples").wait_for()


def test_a_mark_says_value_count_and_interval_on_focus(desktop: Any, address: str) -> None:
    page = visit(desktop, address, "view=task-niah")
    chosen = page.locator(cell(0, 1, 2))
    label = "niah, smollm2, length 4K, depth 50 %: 20 % [4–62], 1 of 5 right"
    assert (chosen.get_attribute("aria-label"), chosen.get_attribute("role")) == (label, "button")
    page.locator(cell(0, 0, 0)).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
        page.keyboard.press(key)
    assert page.locator("#tip").inner_text() == label
    page.keyboard.press("Enter")
    assert listed(page) == ids(4096, 0.5)
    point = page.locator("[aria-label^='Accuracy by length'] [data-mark='0:2']")
    assert "smollm2, all depths, length 4K: 47 % [" in point.get_attribute("aria-label")
    assert "15 samples" in point.get_attribute("aria-label")
    point.click()
    assert page.locator("#found").inner_text().startswith("15 of ")


def test_one_mark_of_a_figure_is_a_stop_of_the_tab_key(desktop: Any, address: str) -> None:
    page = visit(desktop, address, "view=task-niah")
    stops = page.locator("[data-figure]").evaluate_all(
        "all => all.map((one) => one.querySelectorAll('[data-mark][tabindex=\"0\"]').length)"
    )
    assert set(stops) == {1}


def test_the_numbers_are_made_as_they_are_opened_and_lead_to_samples(desktop: Any, address: str) -> None:
    page = visit(desktop, address, "view=task-niah")
    assert page.locator("#task td", has_text="n=5").count() == 0
    page.locator("#task summary", has_text="Numbers").click()
    page.locator("#task a[href='#view=task-niah&cell=niah:0:1:2']").click()
    assert listed(page) == ids(4096, 0.5)


def test_keys_step_through_samples_and_escape_goes_back_to_the_list(desktop: Any, address: str) -> None:
    page = visit(desktop, address, "cell=niah:0:1:2")
    page.keyboard.press("j")
    head = page.locator("#sample-head")
    for key, number in (("j", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("k", 0), ("k", 0)):
        page.keyboard.press(key)
        assert head.inner_text() == ids(4096, 0.5)[number], key
    assert sample_of(0).replace("%2F", "/") in hash_of(page)
    page.keyboard.press("Escape")
    assert not page.locator("#sample").is_visible()
    assert page.evaluate("document.activeElement.querySelector('.id').textContent") == ids(4096, 0.5)[0]
    page.get_by_label("Search", exact=True).press("j")
    assert not page.locator("#sample").is_visible()  # a letter that is typed is no step


def test_one_tab_goes_to_the_skip_link(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_sample_shows_question_answer_strip_needles_and_every_score(desktop: Any, address: str) -> None:
    page = visit(desktop, address, sample_of(3))
    page.locator("#command").wait_for()
    text = page.locator("#sample").inner_text()
    order = ["question", "The magic number of Oslo is", "expected", "7421", "answered", "It says wrong3."]
    order += ["Other models", "4,072 tokens", "needle 1 of 1 · at 50 % · token 2,048 · asked for", "ruler_all"]
    places = [text.index(part) for part in order]
    assert places == sorted(places)
    assert page.locator("#sample pre", has=page.locator("mark")).inner_text() == (
        "They rowed home. The magic number of Oslo is 7421. Then it rained."
    )
    assert "asked for at token 2048 (50 %)" in page.locator("#sample .strip").get_attribute("aria-label")
    assert page.locator("#command").inner_text() == "mta-eval show RUN niah/4096/0.50/3 --model smollm2"
    assert re.search(r"0\.00\s+ruler_all", text)


def test_an_older_record_says_what_was_not_kept(desktop: Any, address: str) -> None:
    page = visit(desktop, address, "sample=smollm2/passkey/512/0.50/2")
    page.get_by_text("did not keep the text around a needle").wait_for()


def test_an_unknown_sample_is_named(desktop: Any, address: str) -> None:
    page = visit(desktop, address, "sample=smollm2/niah/1/2/3")
    assert "no sample smollm2/niah/1/2/3" in page.locator("#found").inner_text()


def test_what_a_model_says_stays_text(desktop: Any, address: str) -> None:
    for number, model in ((0, HOSTILE), (1, SMOLLM2)):
        page = visit(desktop, address, f"sample={quote(f'{model}/passkey/512/0.50/{number}', safe='')}")
        page.locator("#command").wait_for()
        assert "</script><img src=x" in page.locator("#sample").inner_text()
    for view in ("overview", "task-passkey", "compare", "run"):
        page = visit(desktop, address, f"view={view}&q=onerror")
        assert page.locator("img, script[src]").count() == 0


SEARCHES: dict[str, Callable[[Record], bool]] = {
    "wrong3": lambda one: "wrong3" in (one.output or ""),
    "WRONG3 niah/4096": lambda one: "wrong3" in (one.output or "") and "4096" in one.sample_id,
    "onerror": lambda one: HOSTILE in (one.output, one.error),
    "no such words": lambda _: False,
}
FILTERS: dict[tuple[str, str], Callable[[Record], bool]] = {
    ("Result", "failed"): lambda one: one.score is None,
    ("Result", "partly right"): lambda one: one.score == 0.5,
    ("Result", "prompt cut"): lambda one: one.truncated,
    ("Task", "passkey"): lambda one: one.task == "passkey",
    ("Depth", "100 %"): lambda one: one.axes["depth"] == 1,
    ("Length", "4K"): lambda one: one.axes["length"] == 4096,
    ("Kind of mistake", "truncated"): lambda one: one.truncated,
}


def test_search_finds_what_stands_in_an_id_an_answer_a_target_or_an_error(page: Any) -> None:
    for words, right in SEARCHES.items():
        page.get_by_label("Search", exact=True).fill(words)
        page.get_by_label("Search", exact=True).press("Enter")
        found = [text.removesuffix(" †") for text in listed(page)]
        assert sorted(found) == sorted(one.sample_id for one in RECORDS if right(one)), words


def test_filters_keep_what_they_name_and_stand_in_the_address(page: Any) -> None:
    page.locator("#more summary").click()
    for (label, value), right in FILTERS.items():
        page.locator("form").get_by_label(label, exact=True).select_option(value)
        found = [text.removesuffix(" †") for text in listed(page)]
        assert sorted(found) == sorted(one.sample_id for one in RECORDS if right(one)), label
        assert f"={quote(value)}" in hash_of(page)
        page.get_by_role("button", name="Clear").click()
    assert hash_of(page) == ""


def test_the_order_of_the_list_is_in_the_address(desktop: Any, address: str) -> None:
    page = visit(desktop, address, "task=niah&model=smollm2&sort=score")
    assert "wrong" in page.locator("#list .about").first.inner_text()
    page = visit(desktop, address, "task=niah&model=smollm2&sort=-length")
    assert listed(page)[0].startswith("niah/4096/")


def test_a_table_is_sorted_by_its_heads(page: Any) -> None:
    page.locator("#summary > summary").click()
    table = page.locator("#summary table")
    table.get_by_role("button", name="accuracy").press("Enter")
    accuracy = [text.strip() for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]
    assert accuracy == sorted(accuracy, key=lambda text: int(text.split()[0]))
    assert table.locator("th[aria-sort=ascending]").count() == 1


def test_two_models_are_compared_on_the_same_samples(desktop: Any, address: str) -> None:
    page = visit(desktop, address, f"view=compare&a=smollm2&b={quote(LONG, safe='')}")
    assert "niah: " in page.locator("#compare .verdicts").inner_text()
    row = page.locator("#compare tbody tr", has_text="niah").locator("td").all_inner_texts()
    only_b = 2 * (REPEATS - 1)  # at 1K, in the middle and at the end
    assert (row[0], row[4], row[5]) == ("45", "0", str(only_b))
    label = page.locator("[data-cell='difference:niah:1:1']").get_attribute("aria-label")
    assert label.startswith("niah, length 1K, depth 50 %: +80 points; smollm2 20 % [")
    assert label.endswith("right 4; p 0.12, corrected 1")
    page.locator("#compare a", has_text=str(only_b)).click()
    assert page.locator("#found").inner_text().startswith(f"{only_b} of ")
    page.locator("#list a").first.click()
    page.get_by_text("The other model, under the same prompt").wait_for()
    assert "It says wrong1." in page.locator("#sample .others").inner_text()


def test_listed_samples_and_pictures_are_saved(desktop: Any, address: str) -> None:
    page = visit(desktop, address, "cell=niah:0:1:2&view=task-niah")
    saved = {}
    for press in ("#as-jsonl", "#as-csv", "#task .save"):
        with page.expect_download() as download:
            page.locator(press).first.click()
        saved[press] = Path(download.value.path()).read_text()
    lines = [json.loads(line) for line in saved["#as-jsonl"].splitlines()]
    assert [line["id"] for line in lines] == ids(4096, 0.5)
    assert lines[0]["needles"][0]["text"] == "The magic number of Oslo is 7421."
    assert saved["#as-csv"].startswith("id,task,model,length,depth,score,result,mistake,")
    assert len(saved["#as-csv"].splitlines()) == 6
    assert ElementTree.fromstring(saved["#task .save"]).tag == "{http://www.w3.org/2000/svg}svg"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(browser: Any, address: str, scheme: str) -> None:
    with opened(browser, color_scheme=scheme) as page:
        for state in (f"view=task-niah&{sample_of(3)}", "view=compare", "view=run"):
            visit(page, address, state)
            assert page.evaluate(CONTRAST) == []


def test_dark_is_the_systems_choice_until_the_button_says_otherwise(browser: Any, address: str) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, color_scheme="dark") as page:
        visit(page, address)
        dark = page.evaluate(paper)
        page.get_by_role("button", name="Light theme").click()
        light = page.evaluate(paper)
        assert page.get_by_role("button", name="Dark theme").is_visible()
        assert max(map(int, re.findall(r"\d+", dark))) < 60 < 200 < min(map(int, re.findall(r"\d+", light)))


def test_a_phone_never_scrolls_sideways(browser: Any, address: str) -> None:
    wide = "document.documentElement.scrollWidth"
    with opened(browser, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        for view in ("overview", "task-niah", "compare", "run"):
            visit(page, address, f"view={view}")
            page.locator("summary").evaluate_all("all => all.forEach((one) => { one.parentNode.open = true; })")
            assert page.evaluate(wide) == 390, view
        visit(page, address, "view=task-niah")
        page.locator(cell(0, 0, 0)).tap()
        page.locator("#list a").first.tap()
        page.locator("#command").wait_for()
        assert page.locator("#pane").evaluate("one => one.scrollWidth - one.clientWidth") == 0
        page.locator("#close").tap()
        page.locator("#leave").tap()
        assert page.evaluate("document.body.dataset.pane") is None


def test_printed_are_all_tasks_with_folds_open_and_no_column_cut(browser: Any, address: str) -> None:
    with opened(browser, viewport={"width": 703, "height": 1000}) as page:
        visit(page, address)
        page.emulate_media(media="print")
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        page.wait_for_function("!document.querySelector('main details:not([open])')")
        assert page.locator("#all-tasks h2").all_inner_texts() == ["niah", "passkey"]
        assert page.locator("#all-tasks td", has_text="n=5").count() == 18
        assert page.evaluate("document.documentElement.scrollWidth") <= 703
        assert not page.locator("#pane").is_visible()
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert page.locator("#all-tasks h2").count() == 0


def test_without_script_the_summary_the_numbers_and_examples_are_there(browser: Any, address: str) -> None:
    with opened(browser, java_script_enabled=False) as page:
        page.goto(address)
        assert page.locator(".matrix tbody tr").count() == 3
        assert page.locator("noscript table").first.is_visible()
        assert "100 % [57–100], n=5" in page.locator("noscript table").first.inner_text()
        assert page.locator("noscript section").first.locator(".answer").count() == 10
        assert not page.locator("#pane").is_visible()
