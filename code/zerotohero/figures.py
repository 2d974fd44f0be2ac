"""One style for all figures of the book.

The palette is that of Okabe and Ito (2008), whose colors remain distinguishable under every
common form of color blindness; where a line or a text needs more contrast on white,
the color is darkened. A color has one meaning in the whole book.

Figures keep a white background: in the dark theme they read as cards.
"""

from __future__ import annotations

import sys

import matplotlib as mpl
from cycler import cycler
from matplotlib.colors import LinearSegmentedColormap

INK = "#1b1b1f"  # text, axes
GRAY = "#6b6b76"  # guides, what is only there for comparison
DATA = "#0b5cad"  # what flows forward: data, functions, the first of several curves
GRAD = "#b3401b"  # what flows back: derivatives, errors, the second curve
GOOD = "#00755a"  # the third curve; a class; what is right
ACCENT = "#8f4a8a"  # the fourth curve
WARM = "#e69f00"  # fills
COOL = "#56b4e9"  # fills

CYCLE = (DATA, GRAD, GOOD, ACCENT, GRAY)
"""Colors of curves, in the order they are used."""

DIVERGING = LinearSegmentedColormap.from_list("zerotohero", [COOL, "#ffffff", WARM])
"""From one class, through white for undecided, to the other."""

WIDTH = 5.0
"""Width of a figure in inches. A phone shows it at two thirds of its size, still legible."""


def use_style() -> None:
    """Set Matplotlib's defaults, and SVG output in a notebook.

    SVG files get no date and a fixed salt, so that two builds give the same bytes.
    """
    mpl.rcParams.update(
        {
            "figure.figsize": (WIDTH, 3.2),
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "savefig.facecolor": "white",
            "svg.hashsalt": "zerotohero",
            "font.family": "DejaVu Sans",  # comes with Matplotlib: the same everywhere
            "font.size": 11,
            "text.color": INK,
            "axes.prop_cycle": cycler(color=CYCLE),
            "axes.labelsize": 11,
            "axes.titlesize": 11,
            "axes.edgecolor": INK,
            "axes.labelcolor": INK,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "axes.axisbelow": True,
            "grid.color": "#e3e3e8",
            "xtick.color": INK,
            "ytick.color": INK,
            "lines.linewidth": 2.0,
            "legend.frameon": False,
        }
    )
    if "IPython" in sys.modules and sys.modules["IPython"].get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("svg", metadata={"Date": None})
