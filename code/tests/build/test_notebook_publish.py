"""Publishing the notebooks on a branch, and what Binder reads."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from build_scratch import ROOT

from booktools.notebooks import environments
from booktools.notebooks.commands import main
from booktools.notebooks.publish import PublishError, publish
from notebook_export.launch import BRANCH, binder, colab

BINDER = ("requirements.txt", "runtime.txt", "postBuild")
CONFIG = "repository: {url: https://github.com/ada/book}\n"


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=T", "-c", "user.email=t@example.org", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", check=True)
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a built site, and one beside it to push to."""
    for name in ("GITHUB_REPOSITORY", "GITHUB_SHA", "ZEROTOHERO_SITE"):
        monkeypatch.delenv(name, raising=False)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "T")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "t@example.org")
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "remote"], check=True)
    folder = tmp_path / "checkout"
    notebooks = folder / "_build" / "html" / "notebooks"
    notebooks.mkdir(parents=True)
    (folder / "_config.yml").write_text(CONFIG, encoding="utf-8")
    (folder / ".gitignore").write_text("_build/\n", encoding="utf-8")
    (folder / "requirements.txt").write_text("a==1  # why\n-e .\n", encoding="utf-8")
    (folder / ".binder").mkdir()
    for name in BINDER:
        shutil.copy(ROOT / ".binder" / name, folder / ".binder")
    (notebooks / "01-one.ipynb").write_text('{"é": 1}\n', encoding="utf-8")
    (notebooks / "notes.txt").write_text("no notebook", encoding="utf-8")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "-m", "book")
    return folder


def test_publish(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote, built = checkout.parent / "remote", git(checkout, "rev-parse", "HEAD")
    notebooks = checkout / "_build" / "html" / "notebooks"
    commit = publish(checkout, notebooks, str(remote))
    assert git(remote, "rev-parse", BRANCH) == commit
    names = [".binder", "01-one.ipynb", "README.md"]
    assert git(remote, "ls-tree", "--name-only", BRANCH).split() == names
    assert git(remote, "show", f"{BRANCH}:01-one.ipynb") == '{"é": 1}'
    readme = git(remote, "show", f"{BRANCH}:README.md")
    assert "https://ada.github.io/book/" in readme
    assert built in readme
    # once more, with other notebooks: no history, and nothing else has changed
    (notebooks / "01-one.ipynb").rename(notebooks / "02-two.ipynb")
    monkeypatch.chdir(checkout)
    assert main(["publish", "--push", str(remote)]) == 0
    assert git(remote, "rev-list", "--count", BRANCH) == "1"
    names = [".binder", "02-two.ipynb", "README.md"]
    assert git(remote, "ls-tree", "--name-only", BRANCH).split() == names
    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "rev-parse", "HEAD") == built
    assert git(remote, "for-each-ref", "--format=%(refname)") == f"refs/heads/{BRANCH}"


def test_binders_files_are_published(checkout: Path) -> None:
    """They install the commit that the notebooks were made from, in the versions of the book."""
    commit = publish(checkout, checkout / "_build" / "html" / "notebooks", None)
    lines = git(checkout, "show", f"{commit}:.binder/requirements.txt").splitlines()
    built = git(checkout, "rev-parse", "HEAD")
    archive = f"https://github.com/ada/book/archive/{built}.zip"
    assert {"-c constraints.txt", f"zerotohero[book] @ {archive}"} <= set(lines)
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in lines
    assert not any(line.startswith("-r") for line in lines)  # there is no checkout
    assert git(checkout, "show", f"{commit}:.binder/constraints.txt") == "a==1"
    for name in ("runtime.txt", "postBuild"):
        here = (ROOT / ".binder" / name).read_text(encoding="utf-8").strip()
        assert git(checkout, "show", f"{commit}:.binder/{name}") == here
    assert git(checkout, "ls-tree", commit, ".binder/postBuild").startswith("100755")


def test_binder_without_the_book_is_an_error(checkout: Path) -> None:
    (checkout / ".binder" / "requirements.txt").write_text("numpy\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"-r \.\./requirements\.txt.*numpy"):
        publish(checkout, checkout / "_build" / "html" / "notebooks", None)


def test_nothing_to_publish(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(PublishError, match="no notebook in"):
        publish(checkout, checkout / "nowhere", None)
    assert git(checkout, "branch", "--list", BRANCH) == ""


def test_a_failed_push_is_an_error(checkout: Path) -> None:
    with pytest.raises(PublishError, match="git push"):
        publish(checkout, checkout / "_build" / "html" / "notebooks", "nowhere")


def test_check_without_notebooks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 2
    assert "run `make book` first" in capsys.readouterr().err


# -- addresses -----------------------------------------------------------------------------


def test_addresses_of_a_fork() -> None:
    fork = "https://github.com/Ada/fork"
    assert binder(fork, "book/01-one", "https://mybinder.org/") == (
        f"https://mybinder.org/v2/gh/Ada/fork/{BRANCH}?urlpath=lab/tree/01-one.ipynb"
    )
    assert colab(fork, "book/01-one", "https://colab.research.google.com") == (
        f"https://colab.research.google.com/github/Ada/fork/blob/{BRANCH}/01-one.ipynb"
    )


# -- Binder --------------------------------------------------------------------------------


def test_binder_installs_what_the_book_is_built_with() -> None:
    lines = (ROOT / ".binder" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    wanted = [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]
    assert "-r ../requirements.txt" in wanted  # relative to the file, as pip reads it
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in wanted
    # `-e .` is relative to the folder that pip runs in: repo2docker's is the repository's
    assert "-e ." in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()


def test_binders_python_is_the_oldest_that_the_package_supports() -> None:
    runtime = (ROOT / ".binder" / "runtime.txt").read_text(encoding="utf-8").strip()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = project["requires-python"].removeprefix(">=").split(",")[0]
    assert runtime == f"python-{oldest}"


def test_binders_script_can_be_executed() -> None:
    script = ROOT / ".binder" / "postBuild"
    if (ROOT / ".git").exists():  # a downloaded archive has none
        mode = git(ROOT, "ls-files", "--stage", ".binder/postBuild").split()[0]
        assert mode == "100755"
    assert os.name == "nt" or os.access(script, os.X_OK)


def test_pins_have_no_comments(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text('# a==0\nb==1  # why\nc==2 ; sys_platform != "win32"\n-e .\n', encoding="utf-8")
    assert environments.pins(path) == ["b==1", 'c==2 ; sys_platform != "win32"']


def test_a_failed_command_says_what_it_printed(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no such place"):
        environments.run(["sh", "-c", "echo no such place; exit 3"], tmp_path)
