"""What a run folder was before it was opened, so that one whose first question is refused leaves nothing behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class NewRun:
    """A folder that is about to become a run, if it is none yet: which of its parents and `files` are new."""

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._files = [folder / name for name in files]
        self._is_new = not any(path.exists() for path in self._files)
        self._folders = [path for path in (folder, *folder.parents) if not path.exists()]

    def remove(self) -> None:
        """Take away what was made since, where that was no run before. Raises OSError."""
        if not self._is_new:
            return
        for path in self._files:
            path.unlink(missing_ok=True)
        for path in self._folders:
            path.rmdir()
