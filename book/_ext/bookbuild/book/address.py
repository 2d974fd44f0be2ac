"""The addresses of the book: its repository, and the site that is made from it.

``repository.url`` in ``_config.yml`` names the repository. In GitHub Actions the environment names
it, so that a fork builds, links and launches itself without an edit. The site's address follows
from the repository's, unless ``ZEROTOHERO_SITE`` or ``html.baseurl`` says otherwise. All else
(canonical addresses, the sitemap, links to the source, launch buttons) asks here.
"""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit

from bookbuild.book.settings import CONFIG, read_config

__all__ = ["AddressError", "branch", "commit", "repository", "site", "source_page"]

NAME = re.compile(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+")
COMMIT = re.compile(r"[0-9a-f]{40}")


class AddressError(ValueError):
    """An address is missing or can't be one; the message names where it was looked for."""


def setting(root: Path, section: str, key: str) -> str | None:
    """Value of ``section: {key: …}`` in the configuration below `root`, or None."""
    try:
        value = (read_config(root).get(section) or {}).get(key)
    except FileNotFoundError as error:
        raise AddressError(str(error)) from error
    return None if value in {None, ""} else str(value)


def web_address(text: str, source: str) -> str:
    """`text` if it is an address of the web, else an error that names its `source`."""
    parts = urlsplit(text)
    if parts.scheme not in {"https", "http"} or not parts.netloc or parts.query or parts.fragment:
        raise AddressError(f"{source} must be an address such as https://host/path, not {text!r}")
    return text


def repository(root: Path = Path(), environment: Mapping[str, str] = os.environ) -> str:
    """Address of the repository, ``https://github.com/owner/name``, without a slash at its end.

    Parameters
    ----------
    root
        Folder with ``_config.yml``.
    environment
        ``GITHUB_REPOSITORY`` (``owner/name``) and ``GITHUB_SERVER_URL``, set in GitHub Actions,
        go before the configuration.

    Raises
    ------
    AddressError
        When neither names one, or what is named is not an address.
    """
    if name := environment.get("GITHUB_REPOSITORY"):
        if not NAME.fullmatch(name):
            raise AddressError(f"GITHUB_REPOSITORY must be owner/name, not {name!r}")
        server = environment.get("GITHUB_SERVER_URL") or "https://github.com"
        return f"{web_address(server, 'GITHUB_SERVER_URL').rstrip('/')}/{name}"
    url = setting(root, "repository", "url")
    if url is None:
        raise AddressError(
            f"set `repository: {{url: …}}` in {CONFIG}: nothing names the repository"
        )
    url = web_address(url.rstrip("/").removesuffix(".git"), f"repository.url in {CONFIG}")
    if not NAME.fullmatch(urlsplit(url).path.strip("/")):
        raise AddressError(f"repository.url in {CONFIG} must end with owner/name, not {url!r}")
    return url


def site(root: Path = Path(), environment: Mapping[str, str] = os.environ) -> str:
    """Address of the published site, with a slash at its end.

    ``ZEROTOHERO_SITE`` (set by the deploy workflow to what GitHub Pages says) goes first. A fork's
    build must not claim the address of the book that it was forked from, so ``html.baseurl`` of the
    configuration counts only where the environment names no repository. Else it is the address
    that GitHub Pages gives to the repository: ``https://owner.github.io/name/``.

    Raises
    ------
    AddressError
        As `repository`.
    """
    if given := environment.get("ZEROTOHERO_SITE"):
        return web_address(given, "ZEROTOHERO_SITE").rstrip("/") + "/"
    if not environment.get("GITHUB_REPOSITORY") and (url := setting(root, "html", "baseurl")):
        return web_address(url, f"html.baseurl in {CONFIG}").rstrip("/") + "/"
    owner, name = urlsplit(repository(root, environment)).path.strip("/").split("/")
    host = f"{owner.lower()}.github.io"
    return f"https://{host}/" if name.lower() == host else f"https://{host}/{name}/"


def branch(root: Path = Path()) -> str:
    """Branch that links to the source lead to: ``repository.branch``, by default ``main``."""
    return setting(root, "repository", "branch") or "main"


def commit(root: Path = Path(), environment: Mapping[str, str] = os.environ) -> str | None:
    """Commit that is being built, 40 digits: ``GITHUB_SHA``, else git's; None without either."""
    found = environment.get("GITHUB_SHA")
    if not found:
        try:
            found = subprocess.run(
                ["git", "rev-parse", "HEAD"],
                cwd=root,
                capture_output=True,
                encoding="utf-8",
                check=True,
            ).stdout.strip()
        except (OSError, subprocess.CalledProcessError):  # no git, or an archive of the source
            return None
    if not COMMIT.fullmatch(found):
        raise AddressError(f"a commit has 40 hexadecimal digits, not {found!r}")
    return found


def source_page(file: str, root: Path = Path(), environment: Mapping[str, str] = os.environ) -> str:
    """Address at which the repository shows a file, given by its path below `root`."""
    path = quote(file.replace(os.sep, "/").lstrip("/"))
    return f"{repository(root, environment)}/blob/{quote(branch(root))}/{path}"
