"""Texts of many kinds, and the published tokenizers, for the tests of the tokenizer."""

import functools
import io
import os
import random
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest

from zerotohero import data
from zerotohero.data import fetching, registry, sources, store
from zerotohero.tokenizer import GPT2Tokenizer, GPT4Tokenizer
from zerotohero.tokenizer import __main__ as command

FILES = ("names", "tinyshakespeare", *fetching.FOR_TIKTOKEN)
MIRROR = os.environ.get("ZEROTOHERO_DATA_MIRROR")  # before a test takes it away


def _content(name: str) -> bytes | None:
    """Return a data set's bytes, from this machine or the mirror; None when they are not there."""
    dataset = registry.lookup(name)
    for folder in store.folders():
        file = store.check_file(folder / dataset.file, dataset)
        if file.state == "verified":
            return file.content
    if MIRROR:
        _, read_mirror = next(sources.list_sources(dataset))
        try:
            content = read_mirror()
        except sources.UnavailableError:
            return None
        return None if dataset.problem(content) else content
    return None


@functools.cache
def _store() -> tempfile.TemporaryDirectory[str]:
    """Copy the files into a folder of our own, so that no test writes to the checkout.

    Without one of them the test fails: these tests lie in folders that need it.
    """
    contents = {name: _content(name) for name in FILES}
    if missing := [name for name, content in contents.items() if content is None]:
        pytest.fail(
            f"not here: {', '.join(missing)}. Run `make data`, or set ZEROTOHERO_DATA_MIRROR "
            "to a folder that has the files. `make test` runs the tests that need none.",
            pytrace=False,
        )
    folder = tempfile.TemporaryDirectory(prefix="zerotohero-")
    for name, content in contents.items():
        assert content is not None
        (Path(folder.name) / registry.lookup(name).file).write_bytes(content)
    return folder


@contextmanager
def stored() -> Iterator[Path]:
    """Let the data sets be found in our folder, and nothing be written elsewhere."""
    folder = _store()
    with mock.patch.dict(os.environ, {"ZEROTOHERO_CACHE": folder.name}):
        yield Path(folder.name)


@functools.cache
def gpt4() -> GPT4Tokenizer:
    with stored():
        return GPT4Tokenizer()


@functools.cache
def gpt2() -> GPT2Tokenizer:
    with stored():
        return GPT2Tokenizer()


def reference(name: str):
    """Return an encoding of tiktoken, which finds its files in our folder."""
    import tiktoken

    with stored():
        data.tiktoken_cache()
        return tiktoken.get_encoding(name)


def shakespeare() -> str:
    with stored():
        return data.shakespeare()


@pytest.fixture
def run(monkeypatch, capfdbinary):
    """Run the command in this process, with bytes on standard input."""

    def call(*arguments: object, stdin: bytes = b"") -> SimpleNamespace:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin)))
        code = command.main([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return SimpleNamespace(code=code, out=out, err=err.decode())

    return call


# One sentence in each, about reading and writing; more scripts than languages matter here.
LANGUAGES = {
    "English": "She'll read the book's 2nd chapter; we've read it, and THEY'RE DONE!",
    "German": "Größe und Übermut: Der Fuchs läßt's nicht, 3½ Äpfel für 12,99 €.",
    "French": "L'été où j'ai lu « Les Misérables », ça coûtait 1 234,50 francs.",
    "Turkish": "İstanbul'da ışık ılık, IĞDIR'da çığ düştü.",
    "Vietnamese": "Tiếng Việt có sáu thanh điệu, và chữ quốc ngữ.",
    "Icelandic": "Þórður læðist um götuna við höfnina.",
    "Russian": "Съешь ещё этих мягких французских булок, да выпей чаю.",
    "Ukrainian": "Щастя — це їжа, ґанок і п'ять яблук.",
    "Greek": "Ξεσκεπάζω την ψυχοφθόρα σας βδελυγμία· ᾧ ἐστι.",
    "Armenian": "Բարեւ Ձեզ, ինչպե՞ս եք։",
    "Georgian": "გამარჯობა, როგორ ხარ? ᲗᲑᲘᲚᲘᲡᲘ",
    "Hebrew": "בְּרֵאשִׁית בָּרָא אֱלֹהִים, שלום עולם!",
    "Arabic": "السَّلامُ عَلَيْكُم، كيف حالك؟ ١٢٣٤",
    "Persian": "می‌خواهم کتاب‌های بیشتری بخوانم. ۴۵۶",
    "Hindi": "नमस्ते दुनिया, क्षत्रिय हिन्दी १२३।",
    "Bengali": "আমি বাংলায় গান গাই। ৪৫৬",
    "Punjabi": "ਸਤਿ ਸ੍ਰੀ ਅਕਾਲ ਜੀ",
    "Gujarati": "નમસ્તે, તમે કેમ છો?",
    "Tamil": "வணக்கம் உலகம், தமிழ் மொழி",
    "Telugu": "నమస్కారం, మీరు ఎలా ఉన్నారు?",
    "Kannada": "ನಮಸ್ಕಾರ, ಹೇಗಿದ್ದೀರಾ?",
    "Malayalam": "നമസ്കാരം, സുഖമാണോ?",
    "Sinhala": "ආයුබෝවන්, ඔබට කොහොමද?",
    "Thai": "สวัสดีชาวโลก ภาษาไทยไม่มีช่องว่าง ๑๒๓",
    "Lao": "ສະບາຍດີ ຊາວໂລກ",
    "Khmer": "សួស្តី ពិភពលោក",
    "Burmese": "မင်္ဂလာပါ ကမ္ဘာလောက",
    "Tibetan": "བཀྲ་ཤིས་བདེ་ལེགས།",
    "Amharic": "ሰላም ለዓለም፣ እንዴት ነህ?",
    "Cherokee": "ᎣᏏᏲ ᎡᎶᎯ ꭳꮟᏺ",
    "Chinese": "學而時習之,不亦說乎?你好，世界！一二三",
    "Japanese": "吾輩は猫である。名前はまだ無い。カタカナ、ｶﾅ",
    "Korean": "안녕하세요, 세상! 한국어는 재미있어요.",
    "Korean, decomposed": "\u1112\u1161\u11ab\u1100\u1173\u11af",
    "Mongolian": "ᠮᠣᠩᠭᠣᠯ ᠬᠡᠯᠡ",
    "Gothic": "𐌰𐍄𐍄𐌰 𐌿𐌽𐍃𐌰𐍂",
    "Cuneiform": "𒀭𒂗𒆤 𒈗",
    "Hieroglyphs": "𓂀𓃠 𓆣",
    "Deseret": "𐐔𐐯𐑅𐐨𐑉𐐯𐐻",
}

ODDITIES = {
    "nothing": "",
    "emoji": "👍👍🏽 👨‍👩‍👧‍👦 🏳️‍🌈 🇩🇪🇯🇵 ❤️ 1️⃣ 🧑🏿‍💻😉",
    "combining": "Z̸̢͇a̷l̴g̵o̶ e\u0301\u0301 \u0301 नि ก็ \u20dd\u200d\u200c\ufe0f",
    "digits": "0 12 123 1234 12345678 ½ ² Ⅷ ١٢٣ 一二三 𝟙𝟚𝟛 1.234,56 0x1F 1e-5",
    "apostrophes": "it's IT'S It'Ll we'VE 'tis o'clock '' 's'S 'ſ 'ſt don’t rock'n'roll'd 'LLama",
    "spaces": "a  b\tc\t\td\n e \n\n  f\r\ng\r\r\n h",
    "Unicode spaces": "a\u00a0b\u2003 c\u3000d\u200b e\u0085f\u2028\u2029g\v\fh",
    "controls": "\0\1\x1b\x1c\x1d\x1e\x1f\x7f\x80\x9f\ufeff\ufffe\uffff",
    "trailing spaces": "hello \n  ",
    "trailing newlines": " \n \n\n\n",
    "punctuation": "...!?!? --- ***\n\n#### </div>\n\n$$ {}[]()<>;:'\",./\\|`~@^&*_+=\r\n",
    "capitals": "HELLO World iPhone ǅ ǈ ﬀ ẞ",
    "code": "def f(x):\n    if x:\n\t\treturn {'a': [1, 2]}  # comment\n\n\nclass A: pass\n",
    "planes": "".join(
        chr(0x10000 * plane + offset)
        for plane in range(17)
        for offset in (0x0041, 0x0300, 0x1234, 0x4E2D, 0xA000, 0xE123, 0xF8FF, 0xFFFD)
    ),
    "long letters": "a" * 3000 + "äöü" * 500,
    "long spaces": " " * 3000 + "x" + "\n" * 2000 + " " * 1500,
    "long marks": "!" * 2500 + "=-" * 1000,
}

SURROGATES = {
    "lone high": "a\ud83db",
    "lone low": "a\ude09b",
    "pair": "a\ud83d\ude09b",  # tiktoken makes one character of it
    "wrong order": "\ude09\ud83d",
    "many": "\ud800\ud800\udfff\udfff \ud800",
}

TEXTS = LANGUAGES | ODDITIES

_ALPHABETS = [
    [chr(c) for c in range(128)],
    [chr(c) for c in range(0x250)],
    list("aab'sStTdDmMlLvVrReE ſ1.\n"),
    list(" \t\n\r\u00a0\u3000a1!"),
    list("0123456789٣¼ a"),
    sorted(set("".join(LANGUAGES.values()))),
    sorted(set("".join(ODDITIES.values()))),
]


def random_text(rng: random.Random) -> str:
    """Return up to 30 characters: of an alphabet, of any plane, or parts of real texts."""
    length = rng.randrange(30)
    kind = rng.randrange(len(_ALPHABETS) + 4)
    if kind < len(_ALPHABETS):
        return "".join(rng.choices(_ALPHABETS[kind], k=length))
    if kind == len(_ALPHABETS):  # also halves of surrogate pairs
        return "".join(chr(rng.randrange(0x110000)) for _ in range(length))
    if kind == len(_ALPHABETS) + 1:
        return "".join(chr(rng.choice((0x20, 0x61, 0xD83D, 0xDE09))) for _ in range(length))
    if kind == len(_ALPHABETS) + 2:
        return "".join(chr(rng.randrange(0x10000)) for _ in range(length))
    parts = []
    for _ in range(rng.randrange(1, 5)):
        text = rng.choice(list(TEXTS.values()))
        start = rng.randrange(len(text) + 1)
        parts.append(text[start : start + rng.randrange(12)])
    return "".join(parts)
