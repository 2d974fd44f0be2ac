"""Random texts, encoded by ours and by tiktoken. For more of them than the tests try::

ZEROTOHERO_DATA_MIRROR=folder python code/tests/tokenizer_random.py 1000000
"""

import random
import sys

from tokenizer_texts import gpt2, gpt4, random_text, reference

PAIRS = {"gpt2": ("gpt2", gpt2), "gpt4": ("cl100k_base", gpt4)}


def compare(name: str, count: int) -> int:
    """Fail unless the ids and what they decode to are the same; return the number of ids."""
    tokenizer, encoding = PAIRS[name][1](), reference(PAIRS[name][0])
    rng = random.Random(f"{name} {count}")
    compared = 0
    for _ in range(count):
        text = random_text(rng)
        ids = tokenizer.encode_ordinary(text)
        assert ids == encoding.encode_ordinary(text), repr(text)
        assert tokenizer.decode(ids) == encoding.decode(ids), repr(text)
        compared += len(ids)
    return compared


if __name__ == "__main__":
    number = int(sys.argv[1])
    for name in PAIRS:
        print(f"{name}: {number:,} texts, {compare(name, number):,} ids, all equal", flush=True)
