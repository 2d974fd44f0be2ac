"""Numbers for the prose: glued in a real session, and written as a text writes them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from zerotohero.reproduce import MIME, scientific

SESSION = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

shell = InteractiveShell.instance(config=Config(HistoryManager={"enabled": False}))
published = []
shell.display_pub.publish = lambda data, metadata=None, **_: published.append([data, metadata])

import numpy as np
import torch
from IPython.display import HTML
from myst_nb import glue as theirs
from zerotohero.reproduce import glue as ours, reproduced

values = {"a": 14.0, "b": 3, "c": "<text>", "d": -0.0, "e": [1, 2], "f": HTML("<b>"),
          "g": torch.tensor([1.0, 2.0]), "h": None, "i": np.arange(3), "j": float("inf")}
scalars = {"k": np.float64(0.1), "l": np.int64(3), "m": torch.tensor(0.5), "n": np.bool_(True)}
ours(**values, **scalars)
by_us = published[:]
published.clear()
for name, value in {**values, **{k: v.item() for k, v in scalars.items()}}.items():
    theirs(name, value, display=False)
by_them = published[:]
published.clear()
reproduced("lecture1.mlp_parameters", 41)
json.dump({"ours": by_us, "theirs": by_them, "record": published}, sys.stdout)
"""


def test_in_a_session(tmp_path: Path) -> None:
    """Glued values come out as MyST-NB's own, and a record reaches the cell's output."""
    done = subprocess.run(
        [sys.executable, "-c", SESSION],
        capture_output=True,
        encoding="utf-8",
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "IPYTHONDIR": str(tmp_path),
        },
    )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert len(got["ours"]) == 14
    assert got["ours"] == got["theirs"]
    ((bundle, _),) = got["record"]
    assert bundle[MIME]["ours"] == 41
    assert set(bundle) == {MIME, "text/plain", "text/html"}


@pytest.mark.parametrize(
    ("x", "digits", "text"),
    [
        (2.1e-8, 1, "2.1 × 10⁻⁸"),
        (-1.26e10, 1, "−1.3 × 10¹⁰"),
        (6.022e23, 3, "6.022 × 10²³"),
        (3e-5, 0, "3 × 10⁻⁵"),
        (1.0, 1, "1.0 × 10⁰"),
        (9.99e-3, 1, "1.0 × 10⁻²"),
    ],
)
def test_scientific(x: float, digits: int, text: str) -> None:
    assert scientific(x, digits) == text.replace(" ", "\N{NO-BREAK SPACE}")
