"""How many bytes a package and its dependencies take in this environment: `python docs/weigh.py [PACKAGE]`."""

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement


def closure(name: str, sizes: dict[str, int]) -> dict[str, int]:
    """The installed size of `name` and of everything that it requires, by package."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    try:
        package = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return sizes
    paths = [Path(str(file.locate())) for file in package.files or []]
    sizes[name] = sum(path.stat().st_size for path in paths if path.exists())
    for line in package.requires or []:
        requirement = Requirement(line)
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if needed and re.sub(r"[-_.]+", "-", requirement.name).lower() not in sizes:
            closure(requirement.name, sizes)
    return sizes


if __name__ == "__main__":
    found = closure(sys.argv[1] if len(sys.argv) > 1 else "mta-eval", {})
    for package, size in sorted(found.items(), key=lambda item: -item[1])[:10]:
        print(f"{size / 2**20:9.1f} MiB  {package}")
    print(f"{sum(found.values()) / 2**20:9.1f} MiB  {len(found)} packages")
