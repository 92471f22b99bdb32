"""What the sdist and the wheel contain; `make package` builds them into build/dist first."""

import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DIST = ROOT / "build/dist"
pytestmark = pytest.mark.package


def files_below(*folders: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for folder in folders
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_sdist_has_the_package_the_tests_and_the_documentation() -> None:
    (path,) = DIST.glob("mta_eval-*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = files_below("mta_eval", "tests", "docs", "bench")
    needed |= {
        "README.md",
        "CHANGELOG.md",
        "CITATION.cff",
        "CONTRIBUTING.md",
        "SECURITY.md",
        "LICENSE",
        "Makefile",
        "mkdocs.yml",
    }
    needed |= {"pyproject.toml", "constraints.txt", ".ci/run"}
    assert needed <= names, sorted(needed - names)


def test_the_wheel_has_all_data_of_the_package_and_nothing_else() -> None:
    (path,) = DIST.glob("mta_eval-*.whl")
    names = {name for name in zipfile.ZipFile(path).namelist() if ".dist-info/" not in name}
    assert names == files_below("mta_eval")
