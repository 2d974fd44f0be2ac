"""The workflows of GitHub Actions: pinned, of few rights, and the same build in each."""

import itertools
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from build_scratch import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FILES = [*WORKFLOWS, *sorted((GITHUB / "actions").glob("*/action.yml"))]
USES = re.compile(r"^\s*(?:- )?uses:\s*(.+)$", re.MULTILINE)
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
BUILD = "$/.github/workflows/build.yml"


def read(path: Path) -> dict[str, Any]:
    # YAML 1.1 reads the key `on` as a truth value
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    return {("on" if key is True else key): value for key, value in found.items()}


def workflow(name: str) -> dict[str, Any]:
    return read(GITHUB / "workflows" / f"{name}.yml")


def jobs() -> list[Any]:
    return [
        pytest.param(path, job, id=f"{path.stem}-{name}")
        for path in WORKFLOWS
        for name, job in read(path)["jobs"].items()
    ]


def steps(path: Path) -> list[dict[str, Any]]:
    content = read(path)
    if "runs" in content:
        return list(content["runs"]["steps"])
    return [step for job in content["jobs"].values() for step in job.get("steps", [])]


def test_there_are_the_workflows_that_the_book_needs() -> None:
    assert {path.stem for path in WORKFLOWS} >= {"build", "check", "deploy", "links", "weekly"}
    assert set(workflow("check")["on"]) == {"pull_request", "workflow_dispatch"}
    assert workflow("deploy")["on"]["push"] == {"branches": ["main"]}
    for weekly in ("links", "weekly"):
        assert set(workflow(weekly)["on"]) == {"schedule", "workflow_dispatch"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name + "-" + path.stem)
def test_every_action_is_pinned_by_commit_with_its_version(path: Path) -> None:
    used = USES.findall(path.read_text(encoding="utf-8"))
    assert used
    for reference in used:
        if reference.startswith("$/"):
            assert (ROOT / reference.removeprefix("$/")).exists(), reference
        else:
            assert PINNED.fullmatch(reference), reference


def test_an_action_has_one_version_everywhere() -> None:
    used = {u for path in FILES for u in USES.findall(path.read_text(encoding="utf-8"))}
    pins = [reference.split("@") for reference in used if "@" in reference]
    commits = {("/".join(name.split("/")[:2]), commit) for name, commit in pins}
    assert len(commits) == len({name for name, _ in commits})


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_has_no_rights_of_its_own(path: Path) -> None:
    assert read(path)["permissions"] == {}


# What a job may do besides reading the repository.
RIGHTS = {
    ("deploy", "address"): {"pages": "read"},
    ("deploy", "notebooks"): {"contents": "write"},
    ("deploy", "deploy"): {"pages": "write", "id-token": "write"},
    ("links", "links"): {"contents": "read", "issues": "write"},
}


@pytest.mark.parametrize(("path", "job"), jobs())
def test_a_job_has_the_rights_it_needs_and_an_end(path: Path, job: dict[str, Any]) -> None:
    (name,) = (n for n, j in read(path)["jobs"].items() if j == job)
    assert job["permissions"] == RIGHTS.get((path.stem, name), {"contents": "read"})
    if "uses" not in job:
        assert 0 < job["timeout-minutes"] <= 60
        assert re.search(r"-\d|matrix\.os", job["runs-on"]), "a version, not latest"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name + "-" + path.stem)
def test_a_checkout_leaves_no_credentials_and_a_script_takes_no_expression(path: Path) -> None:
    for step in steps(path):
        if str(step.get("uses", "")).startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert "${{" not in step.get("run", ""), "values go to scripts by `env`"


def test_pull_requests_and_the_site_are_built_by_the_same_file() -> None:
    check, deploy = workflow("check")["jobs"]["build"], workflow("deploy")["jobs"]["build"]
    assert check["uses"] == deploy["uses"] == BUILD
    # They differ in two values only: where the site will be, and that the data must be had.
    assert "with" not in check
    assert deploy["with"] == {
        "site": "${{ needs.address.outputs.site }}",
        "lecture-data": True,
    }
    # ... and what is deployed is that build, untouched
    last = workflow("deploy")["jobs"]["deploy"]
    assert last["needs"] == "build"
    assert [step["uses"].split("@")[0] for step in last["steps"]] == [
        "actions/download-artifact",
        "actions/upload-pages-artifact",
        "actions/deploy-pages",
    ]


def test_the_build_is_the_strict_one_and_knows_site_and_data() -> None:
    job = workflow("build")["jobs"]["book"]
    (step,) = (step for step in job["steps"] if "make book" in step.get("run", ""))
    assert step["run"] == "make book pdf"
    assert set(step["env"]) == {
        "ZEROTOHERO_SITE",
        "ZEROTOHERO_REQUIRE_LECTURE_DATA",
        "ZEROTOHERO_ENFORCE_BUDGET",
    }


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_make_book_fails_on_every_warning() -> None:
    done = subprocess.run(
        ["make", "--dry-run", "book"], cwd=ROOT, capture_output=True, encoding="utf-8", check=True
    )
    assert re.search(r"jupyter-book build \. --all -W -n --keep-going$", done.stdout, re.MULTILINE)


def test_what_is_published_has_passed_the_tests_of_the_built_book() -> None:
    found = workflow("build")["jobs"]["book"]["steps"]
    runs = [step.get("run", "") for step in found]
    place = runs.index("make test-site")
    assert runs.index("make book pdf") < place
    uploads = [i for i, step in enumerate(found) if "upload-artifact@" in step.get("uses", "")]
    assert place < min(uploads)


def test_some_notebooks_are_executed_for_a_pull_request_and_all_every_week() -> None:
    some, every = (workflow(name)["jobs"]["notebooks"] for name in ("check", "weekly"))
    for called in (some, every):
        assert called["uses"] == "$/.github/workflows/execute.yml"
        assert called["needs"] == "build"
    for name in some["with"]["notebooks"].split():
        assert (ROOT / "book" / f"{name}.md").is_file()
    assert "with" not in every
    found = workflow("execute")["jobs"]["execute"]["steps"]
    checking, binder = (step for step in found if "-check" in step.get("run", ""))
    assert checking["run"] == 'make notebooks-check C="$NOTEBOOKS"'
    assert checking["env"]["NOTEBOOKS"] == "${{ inputs.notebooks }}"
    assert binder["run"] == "make binder-check"
    for step in (checking, binder):
        assert step["env"]["ZEROTOHERO_REQUIRE_OFFLINE"] == "1"


def test_any_older_execution_cache_is_a_start_and_what_is_new_is_kept() -> None:
    (restore,) = steps(GITHUB / "actions" / "execution-cache" / "action.yml")
    start = restore["with"]["restore-keys"]
    assert start == "execution-${{ runner.os }}-${{ runner.arch }}-"
    hashed = restore["with"]["key"].removeprefix(start)
    patterns = re.findall(r"'([^']+)'", hashed)
    assert set(patterns) >= {"requirements.txt", "_config.yml", "book/*.md", "code/zerotohero/**"}
    assert all(any(ROOT.glob(pattern)) for pattern in patterns)
    found = workflow("build")["jobs"]["book"]["steps"]
    (use,) = (step for step in found if str(step.get("uses")).endswith("/execution-cache"))
    assert use["if"] == "${{ !inputs.cold }}"
    assert workflow("weekly")["jobs"]["build"]["with"] == {"cold": True}
    (save,) = (step for step in found if "cache/save@" in str(step.get("uses")))
    assert restore["with"]["path"] == save["with"]["path"] == "_build/.jupyter_cache"
    # a cache that may lack chapters has another name
    complete, _, rest = save["with"]["key"].partition("}}")
    assert "steps.cache.outputs.key" in complete
    assert "job.status != 'success'" in rest


def test_every_week_strangers_build_the_book_on_each_python() -> None:
    job = workflow("weekly")["jobs"]["stranger"]
    assert job["strategy"]["matrix"] == {
        "python": workflow("check")["jobs"]["tests"]["strategy"]["matrix"]["python"]
    }
    assert [step["run"] for step in job["steps"] if "run" in step] == ["make book", "make test"]
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert not [name for name in used if "cache" in name], "they have none"
    assert not any("env" in step for step in job["steps"])


def test_the_matrix_is_what_the_package_supports() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    oldest = re.findall(r">=(3\.\d+)", project["requires-python"])[0]
    newest = max(
        (
            classifier.removeprefix("Programming Language :: Python :: ")
            for classifier in project["classifiers"]
            if re.fullmatch(r"Programming Language :: Python :: 3\.\d+", classifier)
        ),
        key=lambda version: int(version.split(".")[1]),
    )
    matrix = workflow("check")["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == [oldest, "3.12", newest]
    systems = [re.match(r"[a-z]+", system)[0] for system in matrix["os"]]
    assert systems == ["ubuntu", "macos", "windows"]
    for name in ("README.md", "book/start.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert f"Python {oldest} to {newest}" in text, name


def test_updates_hold_what_must_be_held() -> None:
    updates = yaml.safe_load((GITHUB / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    pip, actions = (
        next(entry for entry in updates if entry["package-ecosystem"] == system)
        for system in ("pip", "github-actions")
    )
    held = {entry["dependency-name"]: entry["versions"] for entry in pip["ignore"]}
    assert held["jupyter-book"] == [">=2"]
    pins = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    for name in held:
        assert re.search(rf"^{name}==", pins, re.MULTILINE | re.IGNORECASE), f"{name} is not pinned"
    for name in ("regex", "torch", "huggingface-hub", "soupsieve"):  # held at what is pinned
        (bound,) = held[name]
        assert f"{name}=={bound.removeprefix('>')} " in pins
    assert set(pip["directories"]) == {"/"}
    local = [path.parent for path in FILES if path.name == "action.yml"]
    folders = {f"/{path.relative_to(ROOT).as_posix()}" for path in local}
    assert set(actions["directories"]) == {"/", *folders}


def test_what_the_workflows_call_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    scripts = [step["run"] for path in FILES for step in steps(path) if "run" in step]
    called = itertools.chain(*(re.findall(r"^make ([a-z -]+)", s, re.MULTILINE) for s in scripts))
    named = {target for words in called for target in words.split()}
    assert named >= {"book", "pdf", "test", "lint", "types", "spelling"}
    assert named <= targets
    for script in scripts:
        for name in re.findall(r"\.github/\S+\.sh", script):
            assert (ROOT / name).is_file()


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")
def test_before_a_commit_runs_what_make_runs() -> None:
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    hooks = [hook for repository in config["repos"] for hook in repository["hooks"]]
    command = ["make", "--no-print-directory", "--dry-run", "lint", "types", "spelling"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    lines = done.stdout.splitlines()[-len(hooks) :]  # what makes the environment comes before
    assert [hook["entry"] for hook in hooks] == lines
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in hooks)


def zizmor(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Read the files only: nothing is asked of GitHub."""
    program = Path(sysconfig.get_path("scripts")) / ("zizmor" + ".exe" * (sys.platform == "win32"))
    command = [program, "--offline", "--no-progress", *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False)


@pytest.mark.parametrize("persona", ["regular", "auditor"])
def test_zizmor_finds_nothing(persona: str) -> None:
    done = zizmor("--persona", persona, GITHUB)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No findings to report" in done.stdout + done.stderr


def test_zizmor_would_find_something(tmp_path: Path) -> None:
    text = (GITHUB / "workflows" / "build.yml").read_text(encoding="utf-8")
    tagged = re.sub(r"@[0-9a-f]{40} #", "@main #", text)
    (tmp_path / "build.yml").write_text(tagged, encoding="utf-8")
    done = zizmor(tmp_path / "build.yml")
    assert done.returncode != 0
    assert "unpinned-uses" in done.stdout
