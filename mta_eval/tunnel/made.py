"""By what a tunnel was made: the command, versions, the machine."""

from __future__ import annotations

import platform

from mta_eval.version import VERSION


def made_by(command: str, device: str) -> dict[str, str]:
    """Name -> text, for tunnel.json and the page."""
    import torch
    import transformers

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return {
        "command": command,
        "mta-eval": VERSION,
        "Python": platform.python_version(),
        "PyTorch": torch.__version__,
        "transformers": transformers.__version__,
        "device": f"{name}, {platform.machine()}",
    }
