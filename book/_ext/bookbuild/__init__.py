"""The book's own Sphinx extension: it executes the chapters and checks the pages.

``settings`` reads the front matter, ``key`` and ``cache`` decide what must be executed,
``execute`` executes it, ``records`` and ``tables`` show what came out, ``figures`` and ``links``
check the pages, ``unfinished`` makes a killed build harmless. ``address`` knows where the
repository and the site are, ``publish`` says it on the pages. ``explorer`` and ``vocabularies`` put
the token explorer into a page. ``search`` leads from the words that readers type to sections.
``finish`` makes each page ready: formulas (``typeset``), style sheets (``styles``), icons, what
loads (``weight``). ``comments`` numbers the formulas that comments name, and ``quality`` shows what
Lighthouse measured.
``build`` connects them to Sphinx.
``python -m bookbuild.compare`` checks that two builds give the same outputs.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]


def setup(app: "Sphinx") -> dict[str, Any]:
    """Register the extension with Sphinx.

    Configuration values: ``bookbuild_package`` (folder of the package that the chapters import) and
    ``bookbuild_requirements`` (file with the pins), both relative to the source folder.
    """
    # Imported here, so that `python -m bookbuild.compare` does without Sphinx.
    from bookbuild.build import connect
    from bookbuild.key import PACKAGE, REQUIREMENTS

    app.add_config_value("bookbuild_package", PACKAGE, "", str)
    app.add_config_value("bookbuild_requirements", REQUIREMENTS, "", str)
    connect(app)
    return {"version": "1.0", "parallel_read_safe": False, "parallel_write_safe": False}
