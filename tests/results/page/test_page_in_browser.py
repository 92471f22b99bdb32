"""report.html as people meet it: opened from disk in headless Chromium, clicked, typed at, looked at."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest
from quoted_needles import quoted

from mta_eval.core import Record
from mta_eval.results.report import write_report

playwright = pytest.importorskip("playwright.sync_api", reason="playwright drives the browser: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")

LENGTHS, DEPTHS, REPEATS = (512, 1024, 4096), (0.0, 0.5, 1.0), 5
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
    """Right where the needle is in the first half or the text is short; one of five is right elsewhere."""
    right = length == 512 or depth < 0.5 or repeat == 0
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
    )


def odd(number: int, **known: Any) -> Record:
    base = made("smollm2", 512, 0.5, number)
    return Record(**{**vars(base), "sample_id": f"passkey/512/0.50/{number}", "task": "passkey", **known})


RECORDS = [
    *(
        made(model, length, depth, repeat)
        for model in ("smollm2", "hf:a/very/long/path/to/a-model-with-a-long-name,dtype=bfloat16")
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
    return write_report(RECORDS, tmp_path_factory.mktemp("report"))[0].as_uri()


@pytest.fixture(scope="module")
def desktop(browser: Any) -> Iterator[Any]:
    with opened(browser) as page:
        yield page


@pytest.fixture
def page(desktop: Any, address: str) -> Any:
    """The report, just opened, in light on a desktop."""
    desktop.goto("about:blank")
    desktop.goto(address)
    return desktop


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
    return [str(text) for text in page.locator("#list tbody a").all_inner_texts()]


def cell(model: int, row: int, column: int) -> str:
    return f"[data-cell='niah:{model}:{row}:{column}']"


def ids(length: int, depth: float) -> list[str]:
    return [f"niah/{length}/{depth:.2f}/{repeat}" for repeat in range(REPEATS)]


@pytest.mark.parametrize(("model", "row", "column"), [(0, 0, 0), (0, 1, 2), (1, 2, 1)])
def test_a_click_on_a_cell_of_a_heatmap_shows_its_samples_and_no_other(
    page: Any, model: int, row: int, column: int
) -> None:
    page.locator(cell(model, row, column)).click()
    assert listed(page) == ids(LENGTHS[column], DEPTHS[row])
    names = {record.model for record in RECORDS if record.task == "niah"}
    shown = page.locator("#list tbody td:nth-child(2)").evaluate_all("all => all.map((one) => one.title)")
    assert set(shown) == {sorted(names, reverse=True)[model]}
    page.get_by_text("show all samples").click()
    assert f"{len(RECORDS)} of {len(RECORDS)}" in page.locator("#found").inner_text()


def test_a_click_on_a_cell_of_a_table_shows_the_same_samples(page: Any) -> None:
    page.locator("#task-niah summary", has_text="Numbers").click()
    page.locator("a[href='#cell=niah:0:1:2']").click()
    assert listed(page) == ids(4096, 0.5)


def test_a_cell_tells_a_screen_reader_what_it_is(page: Any) -> None:
    chosen = page.locator(cell(0, 1, 2))
    assert chosen.get_attribute("aria-label") == "niah, smollm2, length 4K, depth 50 %: 1 of 5 right"
    assert chosen.get_attribute("role") == "button"


def test_the_arrow_keys_go_from_cell_to_cell_and_enter_opens_one(page: Any) -> None:
    page.locator(cell(0, 0, 0)).focus()
    for key in ("ArrowRight", "ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    # the list follows the address, whose change the browser tells a moment later
    page.wait_for_function("document.activeElement.id === 'samples-head'")
    assert listed(page) == ids(4096, 0.5)
    assert page.evaluate("document.activeElement.id") == "samples-head"


def test_a_sample_is_reached_by_keyboard_alone_and_escape_goes_back_to_it(page: Any) -> None:
    page.locator(cell(0, 1, 2)).focus()
    page.keyboard.press("Enter")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('#list tbody') !== null"):
            break
    page.keyboard.press("Enter")
    page.locator("#command").wait_for()
    assert page.locator("#sample-head").inner_text() == "niah/4096/0.50/0"
    page.keyboard.press("Escape")
    assert not page.locator("#sample").is_visible()
    assert page.evaluate("document.activeElement.textContent") == "niah/4096/0.50/0"
    assert page.evaluate("location.hash") == "#cell=niah:0:1:2"


def test_one_tab_goes_to_the_skip_link(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the results"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"


def test_a_sample_shows_its_needle_in_its_place_its_answer_and_every_score(page: Any, address: str) -> None:
    page.goto(f"{address}#sample={quote('smollm2/niah/4096/0.50/3', safe='')}")
    page.locator("#command").wait_for()
    text = page.locator("#sample").inner_text()
    assert page.locator("#sample pre", has=page.locator("mark")).inner_text() == (
        "They rowed home. The magic number of Oslo is 7421. Then it rained."
    )
    assert page.locator("#sample mark").inner_text() == "The magic number of Oslo is 7421."
    assert "It says wrong3." in text
    assert "needle 1 of 1 · at 50 % · token 2,048 · asked for" in text
    assert page.locator("#command").inner_text() == "mta-eval show RUN niah/4096/0.50/3 --model smollm2"
    assert re.search(r"0\.00\s+ruler_all", text)
    page.get_by_role("button", name="Next sample").click()
    page.locator("#sample-head", has_text="niah/4096/0.50/4").wait_for()


def test_an_older_record_says_that_the_text_around_its_needle_was_not_kept(page: Any, address: str) -> None:
    page.goto(f"{address}#sample=smollm2/passkey/512/0.50/2")
    page.get_by_text("did not keep the text around a needle").wait_for()


def test_an_unknown_sample_is_named(page: Any, address: str) -> None:
    page.goto(f"{address}#sample=smollm2/niah/1/2/3")
    assert "no sample smollm2/niah/1/2/3" in page.locator("#found").inner_text()


def test_what_a_model_says_stays_text(page: Any, address: str) -> None:
    for number, model in ((0, HOSTILE), (1, "smollm2")):
        page.goto("about:blank")
        page.goto(f"{address}#sample={quote(f'{model}/passkey/512/0.50/{number}', safe='')}")
        page.locator("#command").wait_for()
        assert "</script><img src=x" in page.locator("#sample").inner_text()
    assert page.locator("img").count() == 0


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
        assert sorted(listed(page)) == sorted(one.sample_id for one in RECORDS if right(one)), words


def test_a_filter_leaves_what_it_names_and_clear_brings_all_back(page: Any) -> None:
    for (field, choice), right in FILTERS.items():
        page.get_by_label(field, exact=True).select_option(choice)
        assert sorted(listed(page)) == sorted(one.sample_id for one in RECORDS if right(one)), (field, choice)
        page.get_by_role("button", name="Clear").click()
        assert page.locator("#found").inner_text().startswith(f"{len(RECORDS)} of {len(RECORDS)}")


def test_a_filter_can_be_sent_as_a_link(page: Any) -> None:
    page.get_by_label("Result").select_option("failed")
    page.goto(page.url.partition("#")[0] + page.evaluate("location.hash"))
    page.reload()
    assert listed(page) == ["passkey/512/0.50/1"]


def test_a_header_sorts_the_list_up_down_and_back(page: Any) -> None:
    head = page.locator("#list th[data-by=score]")
    assert head.get_attribute("aria-sort") == "none"
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    scores = page.locator("#list tbody td:nth-child(5)").all_inner_texts()
    assert (scores[0], scores[-1]) == ("0.00", "1.00")
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.locator("#list tbody td:nth-child(5)").first.inner_text() == "1.00"
    page.locator("#next").click()
    assert "–" in page.locator("#list tbody td:nth-child(5)").last.inner_text()  # not measured: last either way
    head.locator("button").click()
    assert listed(page)[:2] == ["niah/512/0.00/0", "niah/512/0.00/1"]


def test_a_header_sorts_the_summary_by_number(page: Any) -> None:
    table = page.locator("#summary table").first
    table.get_by_role("button", name="accuracy").press("Enter")
    accuracy = [text.strip() for text in table.locator("tbody td:nth-child(3)").all_inner_texts()]
    assert accuracy == ["0 %", "64 %", "64 %", "75 %"]
    assert table.locator("th[aria-sort=ascending]").count() == 1


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_what_is_behind_it(browser: Any, address: str, scheme: str) -> None:
    with opened(browser, color_scheme=scheme) as page:
        page.goto(f"{address}#sample=smollm2/niah/4096/0.50/3")
        page.locator("#command").wait_for()
        assert page.evaluate(CONTRAST) == []
        page.locator("#close").click()
        assert page.evaluate(CONTRAST) == []


def test_dark_is_the_systems_choice_until_the_button_says_otherwise(browser: Any, address: str) -> None:
    paper = "getComputedStyle(document.body).backgroundColor"
    with opened(browser, color_scheme="dark") as page:
        page.goto(address)
        dark = page.evaluate(paper)
        page.get_by_role("button", name="Light theme").click()
        light = page.evaluate(paper)
        assert page.get_by_role("button", name="Dark theme").is_visible()
        assert max(map(int, re.findall(r"\d+", dark))) < 60 < 200 < min(map(int, re.findall(r"\d+", light)))


def test_a_phone_never_scrolls_sideways(browser: Any, address: str) -> None:
    wide = "document.documentElement.scrollWidth"
    with opened(browser, viewport={"width": 390, "height": 844}, has_touch=True) as page:
        page.goto(address)
        assert page.evaluate(wide) == 390
        page.locator("summary").evaluate_all("all => all.forEach((one) => { one.parentNode.open = true; })")
        assert page.evaluate(wide) == 390
        page.locator(cell(0, 0, 0)).tap()
        page.locator("#list tbody a").first.tap()
        page.locator("#command").wait_for()
        assert page.evaluate(wide) == 390
        assert page.locator("#sample").evaluate("one => one.scrollWidth - one.clientWidth") == 0


def test_without_script_the_summary_the_pictures_and_examples_are_there(browser: Any, address: str) -> None:
    with opened(browser, java_script_enabled=False) as page:
        page.goto(address)
        assert page.locator("#summary table").first.locator("tbody tr").count() == 4
        assert page.locator(".picture svg").first.is_visible()
        assert page.locator("#task-niah noscript .answer").count() == 10
        assert not page.locator("#explorer").is_visible()
