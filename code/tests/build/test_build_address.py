"""Where the book lives: the configuration, the environment of GitHub Actions, and a fork."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml
from build_scratch import ROOT

from bookbuild.book import address

ACTIONS = {"GITHUB_REPOSITORY": "Ada/zero-to-hero", "GITHUB_SERVER_URL": "https://github.com"}


def configure(folder: Path, **config: object) -> Path:
    (folder / "_config.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    return folder


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return configure(
        tmp_path, repository={"url": "https://github.com/one/book/", "branch": "trunk"}
    )


def test_the_configuration_names_repository_branch_and_site(book: Path) -> None:
    assert address.repository(book, {}) == "https://github.com/one/book"
    assert address.branch(book) == "trunk"
    assert address.site(book, {}) == "https://one.github.io/book/"
    assert address.source_page("book/01 a.md", book, {}) == (
        "https://github.com/one/book/blob/trunk/book/01%20a.md"
    )


def test_a_fork_names_itself_in_actions(book: Path) -> None:
    assert address.repository(book, ACTIONS) == "https://github.com/Ada/zero-to-hero"
    # a host name is written in small letters, a path is not changed
    assert address.site(book, ACTIONS) == "https://ada.github.io/zero-to-hero/"


def test_another_server(book: Path) -> None:
    environment = {**ACTIONS, "GITHUB_SERVER_URL": "https://git.example.org/"}
    assert address.repository(book, environment) == "https://git.example.org/Ada/zero-to-hero"


def test_pages_may_say_where_the_site_is(book: Path) -> None:
    environment = {**ACTIONS, "ZEROTOHERO_SITE": "https://books.example.org/nn"}
    assert address.site(book, environment) == "https://books.example.org/nn/"


def test_the_site_of_a_user_has_no_folder(book: Path) -> None:
    assert (
        address.site(book, {"GITHUB_REPOSITORY": "Ada/ada.github.io"}) == "https://ada.github.io/"
    )


def test_a_fork_does_not_claim_the_domain_of_the_original(tmp_path: Path) -> None:
    book = configure(
        tmp_path,
        repository={"url": "https://github.com/one/book"},
        html={"baseurl": "https://book.example.org"},
    )
    assert address.site(book, {}) == "https://book.example.org/"
    assert address.site(book, ACTIONS) == "https://ada.github.io/zero-to-hero/"


@pytest.mark.parametrize("value", ["", "book", "a/b/c", "a/b c", "../b/x"])
def test_a_repository_that_is_none(book: Path, value: str) -> None:
    if not value:
        assert address.repository(book, {"GITHUB_REPOSITORY": value}).endswith("one/book")
        return
    with pytest.raises(address.AddressError, match="GITHUB_REPOSITORY must be owner/name"):
        address.repository(book, {"GITHUB_REPOSITORY": value})


@pytest.mark.parametrize(
    "url", ["github.com/one/book", "https://github.com/book", "ssh://git@x/a/b"]
)
def test_an_address_that_is_none(tmp_path: Path, url: str) -> None:
    book = configure(tmp_path, repository={"url": url})
    with pytest.raises(address.AddressError, match=r"repository\.url in _config\.yml"):
        address.repository(book, {})


def test_nothing_names_it(tmp_path: Path) -> None:
    with pytest.raises(address.AddressError, match=r"there is no _config\.yml"):
        address.repository(tmp_path, {})
    with pytest.raises(address.AddressError, match="nothing names the repository"):
        address.repository(configure(tmp_path, title="x"), {})
    assert address.branch(tmp_path) == "main"


def test_the_commit_is_that_of_actions_or_of_git(tmp_path: Path) -> None:
    assert address.commit(tmp_path, {"GITHUB_SHA": "a" * 40}) == "a" * 40
    with pytest.raises(address.AddressError, match="40 hexadecimal digits"):
        address.commit(tmp_path, {"GITHUB_SHA": "main"})
    # git looks in the folders above, too, and the temporary folder may be in a checkout
    alone = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], cwd=tmp_path, env=alone, check=True)
    assert address.commit(tmp_path, {}) is None  # a repository without a commit
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], cwd=tmp_path, check=True)
    found = address.commit(tmp_path, {})
    assert found is not None
    assert len(found) == 40


def test_no_other_file_of_the_build_names_the_repository() -> None:
    """One place: what is built must not bring the address along by another way."""
    name = address.repository(ROOT, {}).removeprefix("https://github.com/")
    host = f"{name.split('/')[0]}.github.io"
    folders = [ROOT / "book", ROOT / "code" / "zerotohero", ROOT / ".github", ROOT / ".binder"]
    files = [p for folder in folders for p in folder.rglob("*") if p.is_file()]
    text = {".py", ".md", ".yml", ".yaml", ".txt", ".toml", ".js", ".html", ".css", ".bib"}
    for path in files:
        if path.suffix in text and "mathjax" not in path.parts:
            content = path.read_text(encoding="utf-8")
            assert name not in content, path
            assert host not in content, path
