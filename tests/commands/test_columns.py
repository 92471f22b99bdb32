"""Tables for terminals: aligned where they fit, with a head of several lines where that helps, or else as lists."""

from __future__ import annotations

from mta_eval.commands.columns import entry, table_of

HEAD = ("task", "median seconds per sample", "95 % interval")
ROWS = [["niah", "0.5", "[39–98]"], ["passkey", "12", ""]]


def lines(width: int | None, rows: list[list[str]] = ROWS) -> list[str]:
    return table_of(HEAD, rows, 1, width).plain.split("\n")


def test_a_table_is_as_wide_as_it_needs_to_be_where_nothing_limits_it() -> None:
    assert lines(None) == [
        "task     median seconds per sample  95 % interval",
        "niah                           0.5        [39–98]",
        "passkey                         12",
    ]
    assert lines(49) == lines(None)


def test_its_head_takes_several_lines_before_it_becomes_a_list() -> None:
    assert lines(48) == [
        "          median",
        "         seconds",
        "             per      95 %",
        "task      sample  interval",
        "niah         0.5   [39–98]",
        "passkey       12",
    ]
    assert lines(26) == lines(48)


def test_a_table_that_is_too_wide_is_a_list_of_names_and_values() -> None:
    listed = ["task: niah", "median seconds per sample: 0.5", "95 % interval: [39–98]", ""]
    assert lines(25) == [*listed, "task: passkey", "median seconds per sample: 12", ""]


def test_the_head_alone_stands_bold() -> None:
    ends = [table_of(HEAD, ROWS, 1, width).spans[-1].end for width in (None, 48)]
    assert ends == [len(lines(None)[0]), len("\n".join(lines(48)[:4]))]


def test_wide_characters_take_two_columns_and_no_cell_has_a_line_of_its_own() -> None:
    assert lines(None, [["名", "a\nb", "\x1b[2Jc"]])[1] == "名                          a b              c"


def test_an_empty_table_is_its_head() -> None:
    assert lines(None, []) == ["task  median seconds per sample  95 % interval"]


def test_an_entry_is_one_line_where_it_fits() -> None:
    assert entry("needles", ["1   ", "how many"], 6, 27, None) == "      needles              1     how many"
    assert entry("needles", [""], 2, 27, 4) == "  needles"


def test_an_entry_goes_on_under_itself_where_it_does_not() -> None:
    about = ["1", "how many needles stand in the context, and how many more"]
    assert entry("needles", about, 2, 12, 50).split("\n") == [
        "  needles   1 how many needles stand in the",
        "            context, and how many more",
    ]
    assert entry("needles", about, 2, 12, 40).split("\n") == [
        "  needles",
        "      1 how many needles stand in the",
        "      context, and how many more",
    ]
