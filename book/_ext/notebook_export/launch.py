"""The menus of a chapter: open it in Binder or Colab, or download its notebook.

The theme would send both to the page's source, which Colab can't open and Binder shows with its
markup, and offers for download what MyST-NB executed, in which references and numbers are still
markup.
"""

from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from sphinx.application import Sphinx

from bookbuild.book import address
from notebook_export.export import FOLDER, notebook_name

__all__ = ["BRANCH", "binder", "colab", "set_menus"]

BRANCH = "notebooks"  # where `python -m booktools notebooks publish` puts them
GITHUB = "github.com"


def binder(repository: str, docname: str, service: str) -> str:
    """Address that opens the published notebook of a page in JupyterLab on Binder."""
    name = urlsplit(repository).path.strip("/")
    file = notebook_name(docname)
    return f"{service.rstrip('/')}/v2/gh/{name}/{BRANCH}?urlpath=lab/tree/{file}"


def colab(repository: str, docname: str, service: str) -> str:
    """Address that opens the published notebook of a page in Colab."""
    name = urlsplit(repository).path.strip("/")
    return f"{service.rstrip('/')}/github/{name}/blob/{BRANCH}/{notebook_name(docname)}"


def set_menus(
    app: Sphinx, pagename: str, templatename: str, context: dict[str, Any], doctree: Any
) -> None:
    """Set the addresses of the theme's menus; for a page that has a notebook.

    Which services are offered is the theme's setting ``launch_buttons``. Both read from GitHub: a
    repository elsewhere gets no launch menu.
    """
    root = Path(app.srcdir)
    services = app.config.html_theme_options.get("launch_buttons", {})
    buttons = context.get("header_buttons", [])
    notebook = Path(app.outdir) / FOLDER / notebook_name(pagename)
    if "ipynb_source" in context:  # the theme's copy of what MyST-NB executed
        path = PurePosixPath(pagename).with_suffix(".ipynb")
        (Path(app.outdir) / "_sources" / path).unlink(missing_ok=True)
    if not notebook.is_file():
        return
    repository = address.repository(root)
    for group in list(buttons):
        if group.get("label") == "launch-buttons":
            if urlsplit(repository).netloc.lower() != GITHUB:
                buttons.remove(group)
                continue
            for button in group["buttons"]:
                if button["text"] == "Binder":
                    button["url"] = binder(repository, pagename, services["binderhub_url"])
                elif button["text"] == "Colab":
                    button["url"] = colab(repository, pagename, services["colab_url"])
        elif group.get("label") == "download-buttons":
            set_download(group["buttons"], context["pathto"](f"{FOLDER}/{notebook.name}", 1))


def set_download(buttons: list[dict[str, Any]], url: str) -> None:
    """Let the menu's entry for the notebook lead to `url`; add it if the theme has none."""
    for button in buttons:
        if button.get("label") == "download-notebook-button":
            button["url"] = url
            return
    buttons.insert(
        0,
        {
            "type": "link",
            "url": url,
            "text": ".ipynb",
            "icon": "fas fa-code",
            "tooltip": "Download notebook file",
            "label": "download-notebook-button",
        },
    )
