"""What a visitor of the repository finds: README, citation, forms, and that they agree."""

import re
import tomllib
from pathlib import Path
from typing import Any

import build_scratch  # noqa: F401 # makes bookbuild importable
import pytest
import yaml
from build_scratch import ROOT
from PIL import Image

from bookbuild.book import address
from bookbuild.write.site import PDF

README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[0-9]*.yml"))
# Files that can't ask `bookbuild.book.address`, as no build writes them.
NAMING = ("README.md", "CITATION.cff")


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", NAMING)
def test_addresses_are_those_of_the_configuration(name: str) -> None:
    repository, site = address.repository(ROOT, {}), address.site(ROOT, {})
    owner = repository.split("/")[-2]
    found = re.findall(r"https://[^\s>)]+", (ROOT / name).read_text(encoding="utf-8"))
    ours = [url for url in found if owner in url]
    assert site in ours
    assert set(ours) <= {site, site + PDF, repository}


@pytest.mark.parametrize("name", ["README.md", ".github/CONTRIBUTING.md"])
def test_links_lead_to_files(name: str) -> None:
    path = ROOT / name
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_the_commands_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    for text in (README, CONTRIBUTING):
        blocks = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
        code = "\n".join([*blocks, *re.findall(r"`(make [a-z ]+)`", text)])
        named = {
            word
            for words in re.findall(r"^make ([a-z ]+)", code, re.MULTILINE)
            for word in words.split()
        }
        assert named
        assert named <= targets


def test_the_readme_s_build_and_tests_are_what_must_pass() -> None:
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for command in ("make book", "make test"):
        assert re.search(rf"^{command}\b", README, re.MULTILINE)
        assert re.search(rf"^part .* {command}\b", ci, re.MULTILINE)


def test_files_that_the_guide_names_exist() -> None:
    for name in re.findall(r"`((?:code|book|\.ci|\.github)/[\w./-]+)`", CONTRIBUTING):
        if "NN" not in name and "…" not in name:
            assert (ROOT / name).exists(), name


def test_the_picture_is_small_and_wide_enough_for_a_preview() -> None:
    path = ROOT / "book" / "_static" / "page.png"
    assert path.stat().st_size < 150_000
    with Image.open(path) as picture:
        assert picture.size == (1200, 630)
    assert "](book/_static/page.png)" in README


def test_the_citation_agrees_with_book_and_package() -> None:
    """The keys that the schema of CFF 1.2.0 requires, and where else their values stand."""
    citation = load(ROOT / "CITATION.cff")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config = load(ROOT / "_config.yml")
    assert citation["cff-version"] == "1.2.0"
    assert citation["message"]
    assert citation["title"].startswith(config["title"])
    assert citation["authors"] == [{"name": config["author"]}]
    assert citation["version"] == project["version"]
    assert citation["license"] == project["license"]
    assert citation["repository-code"] == address.repository(ROOT, {})
    assert citation["url"] == address.site(ROOT, {})
    for reference in citation["references"]:
        assert {"type", "title", "authors"} <= set(reference)


def test_the_changelog_has_the_version_of_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (ROOT / "book" / "changelog.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+?),? ", changelog, re.MULTILINE)[0] == project["version"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_a_form_is_one_that_github_accepts(path: Path) -> None:
    form = load(path)
    assert {"name", "description", "body"} <= set(form)
    assert all(isinstance(form[key], str) and form[key] for key in ("name", "description"))
    names = [field["id"] for field in form["body"]]
    assert len(names) == len(set(names))
    for field in form["body"]:
        assert field["type"] in {"input", "textarea", "dropdown"}
        assert field["attributes"]["label"]
        if field["type"] == "dropdown":
            assert all(isinstance(option, str) for option in field["attributes"]["options"])
    assert any(field.get("validations", {}).get("required") for field in form["body"])


def test_the_page_on_contributing_includes_the_guide() -> None:
    page = (ROOT / "book" / "contribute.md").read_text(encoding="utf-8")
    (target,) = re.findall(r"^```\{include\} (\S+)$", page, re.MULTILINE)
    assert (ROOT / "book" / target).samefile(ROOT / ".github" / "CONTRIBUTING.md")
