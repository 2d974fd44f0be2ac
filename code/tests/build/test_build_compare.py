"""The comparison of two builds."""

import base64
import io
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from build_scratch import EXTENSIONS, Book
from PIL import Image, PngImagePlugin

from booktools.compare import main

NOTHING: list[nbformat.NotebookNode] = []


def png(color: tuple[int, ...], note: str = "") -> str:
    """A picture; `note` changes its bytes and none of its pixels."""
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", note)
    stream = io.BytesIO()
    Image.new("RGBA", (3, 2), color).save(stream, "png", pnginfo=info)
    return base64.b64encode(stream.getvalue()).decode()


def stream(text: str) -> nbformat.NotebookNode:
    return nbformat.v4.new_output("stream", name="stdout", text=text)


def data(**bundle: object) -> nbformat.NotebookNode:
    kinds = {"text": "text/plain", "png": "image/png", "svg": "image/svg+xml"}
    return nbformat.v4.new_output("display_data", data={kinds[k]: v for k, v in bundle.items()})


def write(build: Path, name: str, *cells: list[nbformat.NotebookNode], tags: str = "") -> Path:
    """Write an executed notebook of a build: the outputs of each cell."""
    nodes = [
        nbformat.v4.new_code_cell(f"cell {n}", outputs=outputs, metadata={"tags": tags.split()})
        for n, outputs in enumerate(cells)
    ]
    path = build / "executed" / "book" / f"{name}.ipynb"
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=nodes), path)
    return build


def test_same_outputs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture = data(text="<Figure>", png=png((9, 9, 9, 255), "one"))
    a = write(tmp_path / "a", "01", [stream("x\n"), stream("y\n"), picture], NOTHING)
    picture = data(text="<Figure>", png=png((9, 9, 9, 255), "two"))
    b = write(tmp_path / "b", "01", [stream("x\ny\n"), picture], NOTHING)
    assert main([str(a), str(b)]) == 0
    assert "book/01: same, 2 outputs compared" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("one", "two", "message"),
    [
        (
            stream("loss 1.25\n"),
            stream("loss 1.26\n"),
            "text differs\n      -loss 1.25\n      +loss",
        ),
        (data(text="a"), data(text="b"), "text/plain differs"),
        (data(svg="<svg/>"), data(svg="<svg />"), "image/svg+xml differs"),
        (data(png=png((0, 0, 0, 255))), data(png=png((0, 7, 0, 255))), "by up to 7 of 255"),
        (data(png=png((0, 0, 0, 255))), data(png=png((0, 0, 0, 250))), "by up to 5 of 255"),
        (data(text="a"), data(text="a", svg="<svg/>"), "media types differ"),
        (data(text="a"), stream("a"), "differs"),
    ],
)
def test_differences(
    one: nbformat.NotebookNode,
    two: nbformat.NotebookNode,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    a = write(tmp_path / "a", "01", [stream("same")], [one])
    b = write(tmp_path / "b", "01", [stream("same")], [two])
    assert main([str(a), str(b)]) == 1
    out = capsys.readouterr().out
    assert "book/01, code cell 2, output 1: " in out
    assert message in out


def test_the_process_of_the_kernel_is_no_difference(tmp_path: Path) -> None:
    warning = "/some/where/ipykernel_{}/123.py:{}: UserWarning: careful"
    a = write(tmp_path / "a", "01", [stream(warning.format(400, 1))])
    b = write(tmp_path / "b", "01", [stream(warning.format(5123, 1))])
    assert main([str(a), str(b)]) == 0
    write(b, "01", [stream(warning.format(5123, 2))])
    assert main([str(a), str(b)]) == 1


def test_number_of_outputs_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    a = write(tmp_path / "a", "01", [data(text="a")])
    b = write(tmp_path / "b", "01", [data(text="a"), data(text="a")])
    assert main([str(a), str(b)]) == 1
    assert "1 outputs in one build, 2 in the other" in capsys.readouterr().out


def test_timing_cells_are_skipped_but_do_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write(tmp_path / "a", "01", [stream("1 ms")], tags="timing")
    b = write(tmp_path / "b", "01", [stream("2 ms")], tags="timing")
    assert main([str(a), str(b)]) == 2
    out = capsys.readouterr()
    assert "1 timing cells skipped" in out.out
    assert "no output to compare" in out.err


def test_refuses_what_can_not_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    a = write(tmp_path / "a", "01", [stream("x")])
    write(a, "02", [stream("x")])
    b = write(tmp_path / "b", "01", [stream("x")])
    assert main([str(a), str(b)]) == 2
    assert "only one of the builds has book/02" in capsys.readouterr().err
    write(b, "02", [stream("x")], [stream("more")])
    assert main([str(a), str(b)]) == 2
    assert "book/02: 1 code cells in one build, 2 in the other" in capsys.readouterr().err
    assert main([str(a), str(b), "--chapters", "01"]) == 0
    assert main([str(a), str(b), "--chapters", "03"]) == 2
    assert "03" in capsys.readouterr().err
    assert main([str(a), str(tmp_path / "nothing")]) == 2
    assert "holds no executed chapters" in capsys.readouterr().err


def compare(book: Book, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the book's folder."""
    return subprocess.run(
        [sys.executable, "-m", "booktools", "compare", *options],
        cwd=book.folder,
        env=book.environment(PYTHONPATH=str(EXTENSIONS), TMPDIR=str(book.folder.parent)),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_two_cold_builds(tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    book = Book.create(tmp_path / "temporary" / "book")
    # Two processes never have the same id, so this chapter differs each time.
    book.edit("book/02-two.md", 'print("hash"', 'print(os.getpid(), "hash"')
    done = compare(book)
    assert done.returncode == 1, done.stderr
    assert "book/01-one: same, 3 outputs compared" in done.stdout
    assert "book/02-two, code cell 1, output 1: text differs" in done.stdout
    assert [path.name for path in (tmp_path / "temporary").iterdir()] == ["book"]
    assert not (book.folder / "_build").exists()
    # Without it, it does not: not even the hash of a string, which Python randomizes.
    book.edit("book/02-two.md", "os.getpid(), ", "")
    done = compare(book, "--chapters", "02-two")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "book/02-two: same, 2 outputs compared" in done.stdout
    assert "book/01-one" not in done.stdout
