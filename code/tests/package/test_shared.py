"""What all chapters' code shares: arguments, files, the console, training."""

import os
import stat
import subprocess
import sys
import warnings
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zerotohero.arguments import require_int, require_number
from zerotohero.console import one_line
from zerotohero.files import TooLargeError, read_limited, read_text, write_atomically
from zerotohero.training import (
    Progress,
    TrainingWarning,
    as_schedule,
    draw_batches,
    evaluating,
    one_cycle,
    require_ids,
    step_decay,
    trainable,
    warn_if_risen,
)


@given(st.integers(-5, 5), st.integers(-5, 5), st.integers(-9, 9))
def test_int_in_range(low: int, high: int, number: int) -> None:
    if low <= number <= high:
        require_int(low, high, steps=number)
        require_number(low, high, steps=np.float64(number))
    else:
        with pytest.raises(ValueError, match=f"steps must .*, got {number}"):
            require_int(low, high, steps=number)


@pytest.mark.parametrize("number", [True, 1.0, "1", None, 1j])
def test_not_an_int(number: object) -> None:
    with pytest.raises(TypeError, match="n_head must be an int, got"):
        require_int(0, n_embd=1, n_head=number)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), -float("inf"), 10**400])
def test_number_is_finite(number: float) -> None:
    with pytest.raises(ValueError, match="lr must be finite"):
        require_number(lr=number)


@pytest.mark.parametrize("number", [True, "1", None, 1j, torch.tensor(1.0)])
def test_not_a_number(number: object) -> None:
    with pytest.raises(TypeError, match="lr must be a number"):
        require_number(lr=number)


def test_writing_replaces_a_link_and_leaves_nothing_else(tmp_path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("kept", encoding="utf-8")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a").symlink_to(outside)
    write_atomically(folder / "a", "é\r\n")
    assert (folder / "a").read_bytes() == "é\r\n".encode()
    assert not (folder / "a").is_symlink()
    assert outside.read_text(encoding="utf-8") == "kept"
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_a_failed_write_names_the_file_and_keeps_it(tmp_path, monkeypatch) -> None:
    path = tmp_path / "losses.csv"
    path.write_bytes(b"before")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_atomically(path, b"after")
    assert caught.value.filename == str(path)
    assert path.read_bytes() == b"before"
    assert [path.name for path in tmp_path.iterdir()] == ["losses.csv"]


def test_reading_has_a_limit(tmp_path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"12345")
    assert read_limited(path, 5) == b"12345"
    assert read_limited(path, 10**15) == b"12345"  # no memory is reserved for what isn't there
    with pytest.raises(TooLargeError, match="more than 4 bytes"):
        read_limited(path, 4)
    with pytest.raises(IsADirectoryError) as caught:
        read_limited(tmp_path, 4)
    assert caught.value.filename == str(tmp_path)


@given(st.text(), st.binary(max_size=3), st.booleans())
def test_text_is_utf_8_as_it_is(tmp_path_factory, text: str, rest: bytes, skip_bom: bool) -> None:
    """Line endings stay; the byte that is named is the first that no decoder takes."""
    path = tmp_path_factory.getbasetemp() / "text"
    content = text.encode() + rest
    path.write_bytes(content)
    try:
        expected = content.decode("utf-8-sig" if skip_bom else "utf-8")
    except UnicodeDecodeError:
        with pytest.raises(ValueError, match="is not UTF-8") as caught:
            read_text(path, 10**6, skip_bom=skip_bom)
        shown, _, wrong = str(caught.value).partition(": byte ")
        assert shown == str(path)
        start = int(wrong.split()[0])
        assert content[:start].decode() is not None, "what comes before it is UTF-8"
        with pytest.raises(UnicodeDecodeError):
            content[: start + 4].decode()
    else:
        assert read_text(path, 10**6, skip_bom=skip_bom) == expected


def test_text_has_a_limit_and_may_begin_with_a_byte_order_mark(tmp_path) -> None:
    path = tmp_path / "text"
    path.write_bytes(b"\xef\xbb\xbfa\r\n\xff")
    for skip_bom in (False, True):
        with pytest.raises(ValueError, match=r"text: byte 6 is not UTF-8 \(invalid start byte\)"):
            read_text(path, 7, skip_bom=skip_bom)
        with pytest.raises(TooLargeError):
            read_text(path, 6, skip_bom=skip_bom)
    path.write_bytes(b"\xef\xbb\xbfa\r\n")
    assert read_text(path, 6) == "\ufeffa\r\n"
    assert read_text(path, 6, skip_bom=True) == "a\r\n"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_is_not_waited_for(tmp_path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="not a regular file"):
        read_limited(tmp_path / "pipe", 4)


def test_a_name_as_long_as_the_system_allows(tmp_path) -> None:
    path = tmp_path / ("x" * 250)
    write_atomically(path, b"1")
    assert path.read_bytes() == b"1"


@pytest.mark.parametrize("path", ["", ".", "..", "no/such/folder/x"])
def test_what_is_no_file_is_named(path: str, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError) as caught:  # noqa: PT011
        write_atomically(path, b"1")
    assert caught.value.filename == (path or ".")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("function", ["open", "fsync"])
def test_a_folder_that_cannot_be_flushed(function: str, tmp_path, monkeypatch) -> None:
    """As on Windows, and on some file systems: the file is there."""
    real = getattr(os, function)

    def refuse(what: object, *rest: object) -> object:
        if what == tmp_path or (isinstance(what, int) and stat.S_ISDIR(os.fstat(what).st_mode)):
            raise OSError(22, "Invalid argument")
        return real(what, *rest)

    monkeypatch.setattr(os, function, refuse)
    write_atomically(tmp_path / "x", b"1")
    assert (tmp_path / "x").read_bytes() == b"1"


COMMAND = """
import io, os, socket, sys
from zerotohero.console import run_command
def broken():
    a, b = socket.socketpair()
    b.close()
    a.send(b"x")
class Stuck(io.TextIOWrapper):
    waits = 2
    def flush(self):
        self.waits -= 1
        if self.waits >= 0:
            raise KeyboardInterrupt
        super().flush()
def stuck():
    sys.stdout = Stuck(sys.stdout.buffer)
def main():
    print("x" * 10)
    {}
    return 0
sys.exit(run_command(main, (LookupError,)))
"""


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ("pass", 0, ""),
        ("raise ValueError('a\\nb\\x1b[31m')", 1, "error: a\nb[31m\n"),
        ("raise OSError(5, 'Bad', 'a\\nb\\x1b[31m')", 1, "error: a b[31m: Bad\n"),
        ("raise LookupError('lost')", 1, "error: lost\n"),
        ("raise TimeoutError", 1, "error: TimeoutError\n"),
        ("open('/no/such/file')", 1, "error: /no/such/file: No such file or directory\n"),
        ("raise KeyboardInterrupt", 130, "interrupted\n"),
        ("stuck()", 130, "interrupted\n"),
        ("broken()", 1, "error: Broken pipe\n"),
        ("sys.exit(3)", 3, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit('lost')", 1, "lost\n"),
        ("sys.exit(['lost'])", 1, "['lost']\n"),
    ],
)
def test_a_command_ends_quietly(body: str, status: int, message: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", COMMAND.format(body)], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (status, message)


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "body", ["pass", "sys.exit(0)", "sys.exit()", "broken()", "print('x' * 10**6)"]
)
def test_a_reader_that_stops(body: str, unbuffered: str) -> None:
    """Whether it is noticed in the middle or at the end, by the command or by argparse."""
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND.format(body)],
        env=os.environ | {"PYTHONUNBUFFERED": unbuffered},
        stdout=write,
        stderr=subprocess.PIPE,
        text=True,
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.skipif(os.name == "nt", reason="a shell of POSIX")
@pytest.mark.parametrize(
    ("closed", "body", "status", "output", "errors"),
    [
        (">&-", "pass", 0, "", ""),
        (">&-", "raise ValueError('a')", 1, "", "error: a\n"),
        ("2>&-", "pass", 0, "xxxxxxxxxx\n", ""),
        ("2>&-", "raise ValueError('a')", 1, "xxxxxxxxxx\n", ""),
        (">&- 2>&-", "raise ValueError('a')", 1, "", ""),
        ("<&- >&- 2>&-", "raise KeyboardInterrupt", 130, "", ""),
    ],
)
def test_closed_outputs(closed: str, body: str, status: int, output: str, errors: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {closed}', sys.executable, COMMAND.format(body)],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (status, output, errors)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only on Linux")  # noqa: PTH110
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_full_disk_gives_no_traceback(stream: str) -> None:
    other = "stderr" if stream == "stdout" else "stdout"
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123
        done = subprocess.run(
            [sys.executable, "-c", COMMAND.format("raise ValueError('a')")],
            **{stream: full, other: subprocess.PIPE},
            text=True,
        )
    assert done.returncode == 1
    assert "Traceback" not in (done.stderr or "")


@given(st.text())
def test_one_line_is_one_printable_line(text: str) -> None:
    line = one_line(text)
    assert line.isprintable()
    assert "\n" not in line


def test_schedules() -> None:
    decay = step_decay(0.1, 3)
    assert [decay(step) for step in range(5)] == pytest.approx([0.1] * 3 + [0.01] * 2)
    assert as_schedule(decay) is decay
    assert as_schedule(0.5)(7) == 0.5
    with pytest.raises(ValueError, match="learning_rate must not be negative, got -1"):
        as_schedule(-1)
    for make, error in (
        (lambda: step_decay(-1, 3), "learning_rate must not be negative, got -1"),
        (lambda: step_decay(1, -3), "after must not be negative, got -3"),
        (lambda: step_decay(1, 3, float("nan")), "factor must be finite, got nan"),
        (lambda: one_cycle(10, 1, warmup=1.5), "warmup must be below 1, got 1.5"),
    ):
        with pytest.raises(ValueError, match=f"^{error}$"):
            make()
    for make in (lambda: step_decay("a", 3), lambda: one_cycle(10, 1, warmup="a")):
        with pytest.raises(TypeError, match="must be a number, got 'a'"):
            make()
    rates = [one_cycle(100, 2.0)(step) for step in range(100)]
    assert rates[:5] == sorted(rates[:5])
    assert rates[5:] == sorted(rates[5:], reverse=True)
    assert 0 < min(rates) < 0.01
    assert 1.9 < max(rates) <= 2


def test_batches_are_drawn_with_the_generator() -> None:
    X, Y = torch.zeros(7, 2), torch.zeros(7)
    a, b = (draw_batches(X, Y, 5, 3, torch.Generator().manual_seed(1)) for _ in range(2))
    assert a.shape == (5, 3)
    assert a.equal(b)
    assert 0 <= a.min() <= a.max() < 7
    with pytest.raises(ValueError, match="same length, got 7 and 6"):
        draw_batches(X, Y[1:], 5, 3, torch.Generator())
    with pytest.raises(ValueError, match="at least one example"):
        draw_batches(X[:0], Y[:0], 5, 3, torch.Generator())


@given(st.lists(st.integers(-3, 9), max_size=6), st.integers(1, 8), st.sampled_from([None, -3, 2]))
def test_ids_are_in_the_vocabulary(numbers: list[int], n: int, ignored: int | None) -> None:
    """Against a loop over the numbers."""
    ids = torch.tensor(numbers, dtype=torch.int64)
    require_ids("X", ids)  # without a vocabulary, any
    counted = [number for number in numbers if number != ignored]
    wrong = [number for number in counted if not 0 <= number < n]
    if wrong or (numbers and not counted):
        with pytest.raises(ValueError, match=r"^X must hold (ids|a token)") as caught:
            require_ids("X", ids, n, ignored=ignored)
        if wrong:
            assert int(str(caught.value).split()[-1]) in (min(wrong), max(wrong))
    else:
        require_ids("X", ids, n, ignored=ignored)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8, torch.bool, torch.half])
def test_ids_have_a_shape_and_a_dtype(dtype: torch.dtype) -> None:
    ids = torch.zeros(2, 3, dtype=dtype)
    if dtype in (torch.int64, torch.int32):
        require_ids("X", ids, 1, shape=[2, 3])
        with pytest.raises(ValueError, match=r"^X must have shape \(3, 2\), got \(2, 3\)$"):
            require_ids("X", ids, 1, shape=(3, 2))
    if dtype != torch.int64:
        with pytest.raises(TypeError, match=f"^X must be a tensor of int64 ids, got {dtype}$"):
            require_ids("X", ids, 1, dtypes=[torch.int64])


def test_trainable_restores() -> None:
    p, q = torch.ones(2), torch.ones(2, requires_grad=True)
    with suppress(ZeroDivisionError), trainable([p, q]) as (a, b):
        (a * b).sum().backward()
        assert p.grad is not None
        assert 1 / 0
    assert (p.requires_grad, q.requires_grad) == (False, True)
    assert p.grad is None
    assert q.grad is None


def test_a_tied_parameter_is_given_once() -> None:
    p, q = torch.ones(2), torch.ones(2)
    with trainable([p, q, p]) as parameters:
        assert [id(given) for given in parameters] == [id(p), id(q)]


def test_evaluating_restores_each_mode() -> None:
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), torch.nn.Dropout())
    model[1].eval()
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with evaluating(model):
        assert not any(module.training for module in model.modules())
        model(torch.randn(5, 2))
        assert not torch.is_grad_enabled()
    assert [module.training for module in model.modules()] == [True, True, False]
    for name, buffer in model.named_buffers():
        assert buffer.equal(before[name])


class Holder:
    """A model that holds its layers in a list, and has no mode of its own."""

    def __init__(self) -> None:
        self.layers = [torch.nn.BatchNorm1d(2), torch.nn.Sequential(torch.nn.Dropout())]
        self.layers[0].eval()

    def eval(self) -> None:
        for layer in self.layers:
            layer.eval()


def test_evaluating_finds_the_layers_of_a_list() -> None:
    model = Holder()
    with evaluating(model):
        assert not any(layer.training for layer in model.layers)
    assert [layer.training for layer in model.layers] == [False, True]
    assert model.layers[1][0].training


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), -float("inf")])
def test_a_loss_that_is_lost_stops_the_training(loss: float) -> None:
    with pytest.raises(FloatingPointError, match="in step 3: is the learning rate too large"):
        Progress(5, shown=False)(3, loss)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_parameter_that_is_lost_in_the_last_step_is_told(number: float) -> None:
    parameters = [torch.zeros(3), torch.zeros(2)]
    progress = Progress(2, shown=False, parameters=parameters)
    assert progress(0, 1.0) == 1.0
    parameters[1][0] = number
    with pytest.raises(FloatingPointError, match="a parameter is not finite after step 1"):
        progress(1, 1.0)


def test_a_loss_that_rises_is_told(capsys) -> None:
    progress = Progress(50, shown=True)
    for step in range(49):
        assert progress(step, step + 1.0) == step + 1
    with pytest.warns(TrainingWarning, match=r"1 in the first step .* 48 in the last 5"):
        progress(49, 50.0)
    assert len(capsys.readouterr().err.splitlines()) == 10


def test_few_losses_are_told_only_if_they_rose_far(recwarn) -> None:
    for losses in ([], [1.0], [1.0, 2.9], [4.0, 0.1, 7.0], [2.0] * 40 + [5.9] * 9):
        warn_if_risen(losses)
    assert not recwarn.list
    for losses in ([4.2, 5000.0], [2.0] * 40 + [6.1] * 9):
        with pytest.warns(TrainingWarning):
            warn_if_risen(losses)


def test_a_loss_that_jumps_at_once_and_stays_there_is_told() -> None:
    with pytest.warns(TrainingWarning, match=r"3 in the first step"):
        warn_if_risen([3.0, 20.0, *[10.0] * 98])


@pytest.mark.parametrize("level", [6.0, 9.0])
def test_a_loss_that_jumps_at_once_and_swings_is_told(level: float) -> None:
    """As after a learning rate that is ten times too large."""
    noise = torch.randn(400, generator=torch.Generator().manual_seed(1))
    with pytest.warns(TrainingWarning):
        warn_if_risen([3.3, 3.5, *(level * torch.exp(0.15 * noise)).tolist()])


def minibatch_losses(steps: int, batch_size: int, seed: int) -> list[float]:
    """Return means of losses as single examples have them: some near 0, a few of 6 or more."""
    rng = np.random.default_rng(seed)
    return rng.gamma(3.0, 0.8, (steps, batch_size)).mean(1).tolist()


@pytest.mark.parametrize("steps", [50, 100, 500, 5000])
@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_a_loss_that_stays_is_not(steps: int, batch_size: int) -> None:
    """Training that goes on at the level it had reached moves up and down by chance."""
    told = 0
    for seed in range(40):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            warn_if_risen(minibatch_losses(steps, batch_size, seed))
        told += len(caught)
    assert told <= (4 if batch_size == 1 else 1)


@pytest.mark.parametrize("steps", [1, 2, 9, 10, 11, 25, 99])
def test_a_loss_that_falls_is_not(steps: int, capsys, recwarn) -> None:
    progress = Progress(steps, shown=False)
    for step in range(steps):
        progress(step, 1 / (step + 1))
    assert not recwarn.list
    assert capsys.readouterr().err == ""
