from test_labels import record

from mta_eval.results.labels import Labels
from mta_eval.results.task_options import family_of, named_options, options_in, task_options, without_options


def test_a_family_is_the_task_without_its_options() -> None:
    assert (family_of("niah:needles=4"), family_of("niah")) == ("niah", "niah")
    assert family_of('niah:text="open') == 'niah:text="open'


def test_options_that_a_spec_does_not_name_have_their_defaults() -> None:
    assert (task_options("niah")["needles"], task_options("niah:needles=4")["needles"]) == (1, 4)
    assert task_options("a task of lm-eval:shots=5") == {"shots": 5}
    assert task_options("a task of lm-eval:kind=x2") == {"kind": "x2"}


def test_the_option_that_may_stand_without_its_name_has_one() -> None:
    assert named_options("perplexity:/a/books,domain=x") == {"text": "/a/books", "domain": "x"}
    assert named_options("no task:/a") == {}


def test_options_of_records_are_those_that_any_task_names() -> None:
    records = [record(task=task) for task in ("passkey", "niah:needles=4,digits=3", "niah:needles=2")]
    assert options_in(Labels({}, {"niah:needles=2": "Two"}).shown(records)) == ["needles", "digits"]


def test_what_tasks_have_in_common_is_the_spec_without_what_differs() -> None:
    assert without_options("niah:needles=4", ["needles"]) == "niah"
    assert without_options('niah:needles=4,text="a,b=c"', ["needles", "depth"]) == 'niah:text="a,b=c"'
    assert without_options("perplexity:/a", ["needles"]) == "perplexity:/a"
