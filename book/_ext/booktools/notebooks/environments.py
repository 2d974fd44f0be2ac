"""Fresh environments to run notebooks in: the package alone, or what Binder makes."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from bookbuild.book.settings import REQUIREMENTS
from bookbuild.execute import key

__all__ = ["borrowed", "build_wheel", "installed", "like_binder", "pins", "run"]


def run(command: list[str | Path], folder: Path, **variables: str) -> None:
    """Run a command in a folder, with further variables, and without this build's Python path.

    Raises
    ------
    RuntimeError
        If it fails; the message ends with what it printed last.
    """
    clean = {k: v for k, v in os.environ.items() if k not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-30:])
        raise RuntimeError(f"{' '.join(map(str, command))} failed ({done.returncode}):\n{tail}")


def pip(python: Path, *arguments: str | Path) -> list[str | Path]:
    """Command of pip in an environment."""
    return [python, "-m", "pip", "--disable-pip-version-check", *arguments]


def pins(requirements: Path) -> list[str]:
    """Pins of ``requirements.txt``, without the package itself."""
    return [line for line in key.pins(requirements) if "==" in line]


def build_wheel(root: Path, folder: Path) -> Path:
    """Build the package of the checkout at `root` into `folder`; the checkout stays as it is."""
    source = folder / "source"
    shutil.copytree(root / "code" / "zerotohero", source / "code" / "zerotohero")
    for name in ("pyproject.toml", "LICENSE", "README.md"):
        shutil.copy(root / name, source)
    options: list[str | Path] = [
        "--quiet",
        "--no-deps",
        "--no-index",
        "--no-build-isolation",
        "--wheel-dir",
        folder,
    ]
    run(pip(Path(sys.executable), "wheel", *options, source), folder)
    (wheel,) = folder.glob("*.whl")
    return wheel


def interpreter(environment: Path) -> Path:
    """Python of a virtual environment."""
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def borrowed(wheel: Path, folder: Path) -> Path:
    """Environment with the package from its wheel, which borrows all else from this one.

    It takes seconds to make. The checkout is not on its path: Python reads the marks of editable
    installations in its own folder of packages only.

    Returns
    -------
    Path
        Its interpreter.
    """
    venv.create(folder, with_pip=False)
    python = interpreter(folder)
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([python, "-c", ask], capture_output=True, encoding="utf-8", check=True)
    site = Path(done.stdout.strip())
    options: list[str | Path] = ["--quiet", "--no-deps", "--no-index", "--prefix", folder]
    # Without --ignore-installed, pip would remove the package from this environment first.
    options += ["--ignore-installed"]
    run(pip(Path(sys.executable), "install", *options, wheel), folder)
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return python


def installed(root: Path, wheel: Path, folder: Path) -> Path:
    """Environment of its own with the package, what it needs, and a kernel; versions as pinned.

    Returns
    -------
    Path
        Its interpreter.
    """
    venv.create(folder, with_pip=True)
    python = interpreter(folder)
    constraints = folder / "constraints.txt"
    lines = pins(root / REQUIREMENTS)
    constraints.write_text("\n".join(lines) + "\n", encoding="utf-8")
    # A kernel is what Colab and Jupyter bring themselves.
    run(pip(python, "install", "--quiet", "-c", constraints, "ipykernel", f"{wheel}[book]"), folder)
    return python


def like_binder(repository: Path, folder: Path) -> Path:
    """Environment as repo2docker makes it from the ``.binder/`` of a repository's folder.

    It runs ``pip install -r .binder/requirements.txt`` and ``.binder/postBuild`` there.

    Returns
    -------
    Path
        Its interpreter.
    """
    environment, home = folder / "environment", folder / "home"
    home.mkdir(parents=True)
    venv.create(environment, with_pip=True)
    python = interpreter(environment)
    # A kernel is what repo2docker brings itself.
    options = ["--quiet", "-r", ".binder/requirements.txt", "ipykernel"]
    run(pip(python, "install", *options), repository)
    path = os.pathsep.join([str(python.parent), os.environ["PATH"]])
    run([repository / ".binder" / "postBuild"], repository, PATH=path, HOME=str(home))
    return python
