from typing import Any

import pytest
from matplotlib.figure import Figure


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Every figure that is saved, as often as it is saved."""
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(figure: Figure, *places: Any, **options: Any) -> None:
        saved.append(figure)
        save(figure, *places, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved
