"""Model files that are damaged at random. For more of them than the tests try::

python code/tests/damaged_files.py 10000
"""

import random
import re
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from zerotohero.tokenizer import BasicTokenizer, RegexTokenizer

TEXT = "low lower lowest, new newer newest, wide wider widest; Größe, 안녕\n" * 3
SPECIAL = {"<|endoftext|>": 300, "<|a b|>": 7000, "😉": 301}


def valid_file(form: str, kind: type, folder: Path) -> bytes:
    """Return a model file: ours, or as minbpe writes it."""
    tokenizer = kind()
    tokenizer.train(TEXT, 285)
    tokenizer.register_special_tokens(SPECIAL)
    if form == "ours":
        tokenizer.save(folder / "valid")
        return (folder / "valid.model").read_bytes()
    special = [f"{token} {idx}" for token, idx in SPECIAL.items()]
    merges = [f"{left} {right}" for left, right in tokenizer.merges]
    lines = ["minbpe v1", tokenizer.pattern, str(len(special)), *special, *merges]
    return "".join(f"{line}\n" for line in lines).encode()


def damage(content: bytes, rng: random.Random) -> bytes:
    """Change bytes, bits or lines, cut, double or swap; one to three times."""
    for _ in range(rng.randrange(1, 4)):
        at, to = sorted(rng.randrange(len(content) + 1) for _ in range(2))
        lines = content.splitlines(keepends=True) or [b""]
        i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        kind = rng.randrange(10)
        if kind == 0:  # a bit
            flipped = bytes([content[at] ^ 1 << rng.randrange(8)]) if at < len(content) else b""
            content = content[:at] + flipped + content[at + 1 :]
        elif kind == 1:  # a byte
            content = content[:at] + bytes([rng.randrange(256)]) + content[at + 1 :]
        elif kind == 2:  # a digit or a bracket, where the form stays right
            content = content[:at] + bytes([rng.choice(b"0123456789([{*+?\\ ")]) + content[at:]
        elif kind == 3:
            content = content[:at]
        elif kind == 4:
            content = content[:at] + content[to:]
        elif kind == 5:
            content = content[:to] + content[at:]
        elif kind == 6:
            lines[i], lines[j] = lines[j], lines[i]
            content = b"".join(lines)
        elif kind == 7:
            content = b"".join([*lines[:i], lines[j], *lines[i:]])
        elif kind == 8:
            content = b"".join([*lines[:i], *lines[i + 1 :]])
        else:
            content = content[:at] + bytes(rng.randrange(256) for _ in range(8)) + content[at:]
    return content


def refused(act: Callable[..., object], *arguments: object) -> str:
    """Return the message of the ``ValueError``, if there is one; any other error goes on."""
    try:
        act(*arguments)
    except ValueError as error:
        return str(error)
    return ""


def try_files(form: str, count: int, seed: int, folder: Path) -> Counter[str]:
    """Load damaged files; fail unless each is refused with file and line, or means what it says.

    A file of ours has a checksum: it must be refused, or be the file that was valid.
    """
    rng = random.Random(seed)
    path = folder / "damaged.model"
    outcomes: Counter[str] = Counter()
    valid = {kind: valid_file(form, kind, folder) for kind in (BasicTokenizer, RegexTokenizer)}
    for _ in range(count):
        kind = rng.choice(list(valid))
        content = damage(valid[kind], rng)
        path.write_bytes(content)
        tokenizer = kind()
        if refusal := refused(tokenizer.load, path):
            assert re.match(rf"{re.escape(str(path))}, line \d+: .", refusal), content
            assert len(refusal) < 1000, content
            outcomes["refused"] += 1
            continue
        assert form == "minbpe" or content == valid[kind], content
        outcomes["loaded"] += 1
        if refusal := refused(tokenizer.encode, TEXT, "none"):
            assert "leaves out or moves" in refusal, content
            outcomes["another pattern"] += 1
        else:
            assert tokenizer.decode(tokenizer.encode(TEXT, "none")) == TEXT, content
    return outcomes


if __name__ == "__main__":
    number = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as temporary:
        for form in ("ours", "minbpe"):
            print(form, dict(try_files(form, number, 0, Path(temporary))))
