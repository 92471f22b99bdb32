"""A run's records as a data set of the Hugging Face hub, with a card: what was asked of what, by which command."""

from __future__ import annotations

import dataclasses
import json
import shlex
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from mta_eval.core import PromptSettings, Record, Run, depth_text
from mta_eval.errors import SendError, StoreError
from mta_eval.models.error_text import first_line
from mta_eval.version import VERSION

if TYPE_CHECKING:
    import pandas as pd

CARD, TABLE = "README.md", "records.parquet"
FRONT = """---
pretty_name: {title}
tags: [mta-eval, long-context, evaluation]
configs:
- config_name: records
  data_files: [{{split: test, path: {table}}}]
---
"""


class Repository(Protocol):
    """What is needed of huggingface_hub.HfApi."""

    def create_repo(self, repo_id: str, *, repo_type: str, private: bool, exist_ok: bool) -> object: ...

    def repo_info(self, repo_id: str, *, repo_type: str) -> object: ...

    def upload_folder(self, *, repo_id: str, folder_path: str, repo_type: str, commit_message: str) -> object: ...


def push_run(folder: Path, repo: str, public: bool = False, hub: Repository | None = None) -> str:
    """Push a run folder to the data set `repo` (OWNER/NAME, or NAME of the user's own); returns a line that says where.

    The data set is private unless it is to be `public`; one that is there and public takes no run that was not said to
    be. `hub` is the hub's client, with the key that `hf auth login` or HF_TOKEN gave it. Raises StoreError if there are
    no records, SendError if the hub does not take them.
    """
    with tempfile.TemporaryDirectory(prefix="mta-eval-") as place:
        write_data_set(folder, Path(place), repo)
        try:
            if hub is None:
                from huggingface_hub import HfApi

                hub = HfApi()
            made = hub.create_repo(repo, repo_type="dataset", private=not public, exist_ok=True)
            where = str(getattr(made, "repo_id", repo))
            if not public and not getattr(hub.repo_info(where, repo_type="dataset"), "private", False):
                raise SendError(f"the data set {where!r} is public; add --public to `mta-eval push`, or name another")
            message = f"{folder.resolve().name}, by mta-eval {VERSION}"
            hub.upload_folder(repo_id=where, folder_path=place, repo_type="dataset", commit_message=message)
        except SendError:
            raise
        except Exception as error:  # of the hub's client, its transport, and of being offline
            raise SendError(
                f"the hub did not take {str(folder)!r}: {first_line(error)}; mta-eval push {folder} {repo} tries again"
            ) from error
    return f"https://huggingface.co/datasets/{where}"


def write_data_set(folder: Path, out: Path, repo: str) -> None:
    """Write what is pushed of a run folder into the folder `out`: its own two files, the records as Parquet, the card.

    Raises StoreError.
    """
    from mta_eval.results.exports import write_parquet
    from mta_eval.results.store import QUESTION, RECORDS, read

    run, records = read(folder)
    if not records:
        raise StoreError(f"{str(folder)!r} has no records to push; repeat the run's command to go on with it")
    write_parquet(record_table(folder.resolve().name, run, records), out / TABLE)
    (out / CARD).write_text(data_set_card(run, records, folder.resolve().name, repo), "utf-8")
    for name in (QUESTION, RECORDS):
        shutil.copyfile(folder / name, out / name)


def record_table(name: str, run: Run, records: Sequence[Record]) -> pd.DataFrame:
    """`record_frame`, its needles as plain mappings, without columns that are empty."""
    import pandas as pd

    from mta_eval.results.frame import record_frame

    frame = record_frame([(name, run, records)])
    needles = [[dataclasses.asdict(needle) for needle in record.needles] for record in records]
    frame["needle_list"] = pd.Series(needles, index=frame.index, dtype=object)
    filled = [name for name in frame if frame[name].map(lambda value: value is not None and value != []).any()]
    return frame[filled]


def data_set_card(run: Run, records: Sequence[Record], title: str, repo: str) -> str:
    """The card of a data set, as Markdown with the hub's front matter."""
    from mta_eval.results.store import QUESTION, RECORDS
    from mta_eval.results.summary import summaries, summary_markdown
    from mta_eval.results.table import markdown_table, markdown_text

    asked = [("tasks", "; ".join(run.tasks)), ("models", "; ".join(run.labels.get(one, one) for one in run.models))]
    asked += [("lengths", ", ".join(map(str, run.sweep.lengths))), ("records", str(len(records)))]
    asked += [("depths", ", ".join(map(depth_text, run.sweep.depths))), ("seeds", ", ".join(map(str, run.seeds)))]
    asked += [("mta-eval", run.version), *_versions(run)]
    identities = [(f"fingerprint of {model}", one.fingerprint) for model, one in run.identities.items()]
    return "\n".join(
        [
            FRONT.format(title=f'"{title.replace(chr(34), "")}"', table=TABLE),
            f"# {markdown_text(title)}: answers of language models to long-context tasks\n",
            "Every answer of a run of [mta-eval](https://github.com/mta-eval/mta-eval). A row of "
            f"`{TABLE}` is one sample with one model; `{QUESTION}` and `{RECORDS}` are the run folder itself.\n",
            markdown_table(("what", "value"), [*asked, *identities], left=2),
            "## Accuracy\n",
            summary_markdown(summaries(records)),
            "## To read it, and to ask the same\n",
            f"```bash\nhf download {shlex.quote(repo)} --repo-type dataset --local-dir run\nmta-eval report run\n"
            f"{command_of(run)}\n```\n",
        ]
    )


def command_of(run: Run) -> str:
    """A command that asks what a run was asked; a run that grew is asked all that its parts span."""
    words = ["mta-eval", "run", *run.tasks]
    words += [word for model in run.models for word in ("--model", model)]
    words += ["--lengths", ",".join(map(str, run.sweep.lengths))]
    words += ["--depths", ",".join(map(depth_text, run.sweep.depths)), "--repeats", str(run.sweep.repeats)]
    words += ["--seeds" if len(run.seeds) > 1 else "--seed", ",".join(map(str, run.seeds))]
    words += ["--answer", run.answer] if run.answer != "generate" else []
    words += ["--over-length", run.over_length] if run.over_length != "refuse" else []
    usual = PromptSettings()
    for field in dataclasses.fields(run.prompt):
        value = getattr(run.prompt, field.name)
        if field.name == "template_options":
            words += [word for name, part in value for word in ("--template-option", f"{name}={json.dumps(part)}")]
        elif value != getattr(usual, field.name):
            words += [f"--{field.name.replace('_', '-')}", str(value)]
    return shlex.join([*words, "--out", "runs/again"])


def _versions(run: Run) -> list[tuple[str, str]]:
    versions = run.environment.get("versions")
    return [(str(name), str(value)) for name, value in versions.items()] if isinstance(versions, dict) else []
