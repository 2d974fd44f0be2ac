"""Right answers to the exercises of chapter 8, as readers may write them."""

import re
from collections import Counter
from itertools import pairwise

import numpy as np
import regex

from zerotohero.tokenizer import GPT4_SPLIT_PATTERN, naive
from zerotohero.tokenizer.published import recover_merges

# -- step 1: a basic tokenizer ---------------------------------------------------------


class MyBasic:
    """As on the page: its later steps build on this."""

    get_stats = staticmethod(naive.get_stats)
    merge = staticmethod(naive.merge)

    def chunks(self, text):
        return [text]

    def train(self, text, vocab_size):
        self.merges, self.vocab = {}, {idx: bytes([idx]) for idx in range(256)}
        sequences = [list(chunk.encode()) for chunk in self.chunks(text)]
        for idx in range(256, vocab_size):
            counts = {}
            for ids in sequences:
                self.get_stats(ids, counts)
            pair = max(counts, key=counts.get)
            sequences = [self.merge(ids, pair, idx) for ids in sequences]
            self.merges[pair] = idx
            self.vocab[idx] = self.vocab[pair[0]] + self.vocab[pair[1]]

    def encode_chunk(self, ids):
        return naive.encode(bytes(ids), self.merges)

    def encode(self, text):
        found = [self.encode_chunk(list(chunk.encode())) for chunk in self.chunks(text)]
        return [idx for ids in found for idx in ids]

    def decode(self, ids):
        return b"".join(self.vocab[idx] for idx in ids).decode(errors="replace")


class basic__with_strings:
    """Each token is a character; str.replace merges from left to right."""

    def train(self, text, vocab_size):
        symbols = "".join(map(chr, text.encode()))
        self.merges = []
        for idx in range(256, vocab_size):
            ((pair, _),) = Counter(map("".join, pairwise(symbols))).most_common(1)
            symbols = symbols.replace(pair, chr(idx))
            self.merges.append(pair)

    def encode(self, text):
        symbols = "".join(map(chr, text.encode()))
        for i, pair in enumerate(self.merges):
            symbols = symbols.replace(pair, chr(256 + i))
        return map(ord, symbols)

    def decode(self, ids):
        symbols = "".join(map(chr, ids))
        for i, pair in reversed(list(enumerate(self.merges))):
            symbols = symbols.replace(chr(256 + i), pair)
        return bytes(map(ord, symbols)).decode(errors="replace")


class basic__with_tokens_as_bytes:
    """Tokens are bytes, and their ranks are looked up, as in tiktoken."""

    def train(self, text, vocab_size):
        self.ranks = {bytes([i]): i for i in range(256)}
        parts = [bytes([byte]) for byte in text.encode()]
        for rank in range(256, vocab_size):
            counts = Counter(zip(parts, parts[1:]))
            most = max(counts.values())
            pair = next(pair for pair in counts if counts[pair] == most)
            parts = self.joined(parts, pair)
            self.ranks[pair[0] + pair[1]] = rank

    def joined(self, parts, pair):
        done = []
        for part in parts:
            if done and (done[-1], part) == pair:
                done[-1] += part
            else:
                done.append(part)
        return done

    def encode(self, text):
        parts = [bytes([byte]) for byte in text.encode()]
        for _ in parts[1:]:
            joined = map(bytes.__add__, parts, parts[1:])
            known = [(self.ranks[pair], i) for i, pair in enumerate(joined) if pair in self.ranks]
            if known:
                _, i = min(known)
                parts[i : i + 2] = [parts[i] + parts[i + 1]]
        return [*map(self.ranks.get, parts)]

    def decode(self, ids):
        tokens = list(self.ranks)
        return b"".join([tokens[i] for i in ids]).decode(errors="replace")


class basic__rebased:
    """The new tokens are numbered from 0 inside, and a list holds their pairs. Pure numpy ids."""

    def train(self, text, vocab_size):
        self.pairs = []
        ids = list(text.encode())
        for new in range(vocab_size - 256):
            counts = {}
            for i in range(len(ids) - 1):
                pair = ids[i], ids[i + 1]
                counts[pair] = counts.get(pair, 0) + 1
            best = None
            for pair, count in counts.items():
                if best is None or count > counts[best]:
                    best = pair
            self.pairs.append(best)
            ids = self.replace(ids, new)

    def replace(self, ids, new):
        left, right = self.pairs[new]
        result = []
        skip = False
        for i, idx in enumerate(ids):
            if skip:
                skip = False
            elif idx == left and ids[i + 1 : i + 2] == [right]:
                result.append(new + 256)
                skip = True
            else:
                result.append(idx)
        return result

    def encode(self, text):
        ids = list(text.encode())
        for new in range(len(self.pairs)):
            ids = self.replace(ids, new)
        return np.array(ids, dtype=np.int64)

    def decode(self, ids):
        def spell(idx):
            if idx < 256:
                return bytes([idx])
            left, right = self.pairs[idx - 256]
            return spell(left) + spell(right)

        return b"".join(map(spell, ids)).decode(errors="replace")


# -- step 2: split first ---------------------------------------------------------------


class regex__with_strings:
    """Each token is a character, the chunks are joined with a sign that no token has."""

    def __init__(self, pattern):
        self.pattern = regex.compile(pattern)

    def symbols(self, text):
        return ["".join(map(chr, m.group().encode())) for m in self.pattern.finditer(text)]

    def train(self, text, vocab_size):
        chunks = self.symbols(text)
        self.merges = {}
        for idx in range(256, vocab_size):
            counts = Counter(a + b for chunk in chunks for a, b in pairwise(chunk))
            pair = max(counts, key=counts.__getitem__)
            self.merges[pair] = chr(idx)
            chunks = [chunk.replace(pair, chr(idx)) for chunk in chunks]

    def encode(self, text):
        for chunk in self.symbols(text):
            for pair, new in self.merges.items():
                chunk = chunk.replace(pair, new)
            yield from map(ord, chunk)

    def decode(self, ids):
        symbols = "".join(map(chr, ids))
        for pair, new in reversed(self.merges.items()):
            symbols = symbols.replace(new, pair)
        return bytes(map(ord, symbols)).decode(errors="replace")


class regex__of_different_chunks:
    """Keeps each chunk once, with its count; tokens are bytes."""

    def __init__(self, pattern):
        self.pattern = pattern

    def train(self, text, vocab_size):
        chunks = Counter(regex.findall(self.pattern, text))
        words = {word: word.encode() for word in chunks}
        self.merges = {}
        self.vocab = [bytes([idx]) for idx in range(256)]
        for idx in range(256, vocab_size):
            counts = Counter()
            for word, ids in words.items():
                for pair in zip(ids, ids[1:]):
                    counts[pair] += chunks[word]
            pair = max(counts, key=counts.get)
            self.merges[pair] = idx
            self.vocab.append(self.vocab[pair[0]] + self.vocab[pair[1]])
            words = {word: self.merged(ids, pair, idx) for word, ids in words.items()}

    def merged(self, ids, pair, idx):
        out = []
        for i in ids:
            out.append(i)
            if tuple(out[-2:]) == pair:
                out[-2:] = [idx]
        return out

    def encode(self, text):
        result = []
        for word in regex.findall(self.pattern, text):
            ids = word.encode()
            for pair, idx in self.merges.items():
                ids = self.merged(ids, pair, idx)
            result.extend(ids)
        return result

    def decode(self, ids):
        return b"".join(map(self.vocab.__getitem__, ids)).decode(errors="replace")


class MyRegex(MyBasic):
    def __init__(self, pattern):
        self.pattern = pattern

    def chunks(self, text):
        return regex.findall(self.pattern, text)


# -- step 3: recovered merges ----------------------------------------------------------


def recover__by_encoding(ranks):
    shuffle = [ranks[bytes([byte])] for byte in range(256)]
    merges = {}
    for token in sorted(ranks, key=ranks.get):
        if len(token) > 1:
            left, right = naive.encode(bytes(shuffle[byte] for byte in token), merges)
            merges[left, right] = ranks[token]
    return merges, shuffle


def recover__as_in_minbpe(ranks):
    """Merge the bytes of a token by the ranks of what they make, below its own rank."""
    merges = {}
    for token, rank in ranks.items():
        parts = [bytes([byte]) for byte in token]
        for _ in range(len(token) - 2):
            found = [ranks.get(a + b, rank) for a, b in zip(parts, parts[1:])]
            i = found.index(min(found))
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        if len(parts) == 2:
            merges[ranks[parts[0]], ranks[parts[1]]] = rank
    ordered = dict(sorted(merges.items(), key=lambda item: item[1]))
    return ordered, {byte: ranks[bytes([byte])] for byte in range(256)}


def recover__by_the_package(ranks):
    return [recover_merges(ranks), bytes(ranks[bytes([byte])] for byte in range(256))]


def recover__with_strings(ranks):
    """Each rank is a character; what is left after all merges of lower rank has two."""
    tokens = sorted(ranks, key=lambda token: ranks[token])
    order = np.array([ranks[bytes([byte])] for byte in range(256)])
    merges = []
    for token in tokens[256:]:
        symbols = "".join(chr(order[byte]) for byte in token)
        for i, pair in enumerate(merges):
            symbols = symbols.replace(pair, chr(256 + i))
        merges.append(symbols)
    return {tuple(map(ord, pair)): 256 + i for i, pair in enumerate(merges)}, order


# -- step 4: special tokens ------------------------------------------------------------


def special__step_by_step(text, special_tokens, encode_ordinary, allowed_special):
    """Look for a special token at each position."""
    if allowed_special == "none_raise":
        found = [token for token in special_tokens if token in text]
        if found:
            raise ValueError(found)
    if isinstance(allowed_special, str):
        allowed_special = special_tokens if allowed_special == "all" else []
    ids = []
    waiting = ""
    skip = False
    for i in range(len(text)):
        if skip:
            skip -= 1
            continue
        here = [token for token in allowed_special if text.startswith(token, i)]
        if here:
            token = max(here, key=len)
            ids += encode_ordinary(waiting)
            ids.append(special_tokens[token])
            waiting = ""
            skip = len(token) - 1
        else:
            waiting += text[i]
    return (*ids, *encode_ordinary(waiting))


def special__with_finditer(text, special_tokens, encode_ordinary, allowed_special):
    match allowed_special:
        case "none_raise":
            for token in filter(text.__contains__, special_tokens):
                raise ValueError(token)
            allowed = {}
        case "none":
            allowed = {}
        case "all":
            allowed = special_tokens
        case _:
            allowed = {token: special_tokens[token] for token in allowed_special}
    if not allowed:
        yield from encode_ordinary(text)
        return
    pattern = "|".join(re.escape(token) for token in sorted(allowed, key=len)[::-1])
    start = 0
    for match in re.finditer(pattern, text):
        yield from encode_ordinary(text[start : match.start()])
        yield allowed[match.group()]
        start = match.end()
    yield from encode_ordinary(text[start:])


def special__recursive(text, special_tokens, encode_ordinary, allowed_special):
    """Cut at the first special token, then go on with the rest."""
    if allowed_special == "all":
        allowed_special = special_tokens
    elif allowed_special == "none":
        allowed_special = ()
    elif allowed_special == "none_raise":
        for token in special_tokens:
            if token in text:
                raise ValueError(token)
        allowed_special = ()
    places = [(text.index(token), -len(token), token) for token in allowed_special if token in text]
    if not places:
        return encode_ordinary(text)
    at, _, token = min(places)
    rest = text[at + len(token) :]
    rest = special__recursive(rest, special_tokens, encode_ordinary, allowed_special)
    return np.array([*encode_ordinary(text[:at]), special_tokens[token], *rest])


# -- step 5: like SentencePiece --------------------------------------------------------


def pieces__one_list_a_step(text, pieces):
    symbols = ["▁"] + [char if char != " " else "▁" for char in text]
    for _ in text:
        best = None
        for i in range(len(symbols) - 1):
            idx = pieces.get(symbols[i] + symbols[i + 1])
            if idx is not None and (best is None or idx < best[0]):
                best = (idx, i)
        if best is not None:
            i = best[1]
            symbols = symbols[:i] + [symbols[i] + symbols[i + 1]] + symbols[i + 2 :]
    ids = []
    for symbol in symbols:
        if symbol in pieces:
            ids.append(pieces[symbol])
        else:
            ids.extend(pieces[f"<0x{byte:02X}>"] for byte in symbol.encode())
    return ids


def pieces__recursive(text, pieces):
    """Join one pair, and start again."""

    def join(symbols):
        pairs = [a + b for a, b in pairwise(symbols)]
        known = [pair for pair in pairs if pair in pieces]
        if not known:
            return symbols
        i = pairs.index(min(known, key=pieces.__getitem__))
        return join([*symbols[:i], pairs[i], *symbols[i + 2 :]])

    def ids(symbol):
        names = [symbol] if symbol in pieces else ["<0x%02X>" % byte for byte in symbol.encode()]
        return [*map(pieces.get, names)]

    return np.concatenate([ids(symbol) for symbol in join(("▁" + text).replace(" ", "▁"))])


def pieces__by_id(text, pieces):
    """All places of a piece at once, the lowest id first."""
    symbols = "▁" + "▁".join(text.split(" "))
    for piece in sorted(pieces, key=pieces.get):
        done = []
        for symbol in symbols:
            if done and done[-1] + symbol == piece:
                done[-1] = piece
            else:
                done.append(symbol)
        symbols = done
    for symbol in symbols:
        if symbol in pieces:
            yield pieces[symbol]
        else:
            for byte in symbol.encode():
                yield pieces[f"<0x{byte:02X}>"]


def pieces__all_places_at_once(text, pieces):
    """Join all places of the pair with the lowest id, and look again."""
    symbols = ["▁", *text.replace(" ", "▁")]
    while known := [a + b for a, b in pairwise(symbols) if a + b in pieces]:
        piece = min(known, key=pieces.get)
        done = []
        for symbol in symbols:
            if done and done[-1] + symbol == piece:
                done[-1] = piece
            else:
                done.append(symbol)
        symbols = done
    spelled = ([s] if s in pieces else [f"<0x{b:02X}>" for b in s.encode()] for s in symbols)
    return tuple(pieces[name] for names in spelled for name in names)
