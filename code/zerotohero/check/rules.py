"""What an exercise rules out: watches which of PyTorch's functions an answer calls."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from torch.overrides import TorchFunctionMode

from .running import MOST_ITEMS
from .verdict import fail

# What takes entries out of a tensor, one by one or many at once.
INDEXING = (
    *("__getitem__", "__iter__", "unbind", "select", "narrow", "split", "chunk", "tensor_split"),
    *("index_select", "embedding", "embedding_bag", "gather", "take", "take_along_dim"),
)
# What leaves PyTorch, so that nothing can be watched any more.
LEAVING = ("numpy", "__array__", "tolist", "item", "__float__", "__int__", "__index__")
AUTOGRAD = ("backward", "grad", "make_dual", "_make_dual")  # the last: forward mode
CROSS_ENTROPY = ("cross_entropy", "nll_loss", "cross_entropy_loss", "nll_loss_nd")
NORMALIZATION = ("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm")
SOFTMAX = ("softmax", "log_softmax", "softmin", "gumbel_softmax")
ATTENTION = ("scaled_dot_product_attention", "multi_head_attention_forward")


# How a reader calls what PyTorch names otherwise.
SPOKEN = {
    **dict.fromkeys(("__getitem__", "__setitem__"), "Indexing"),
    **dict.fromkeys(("__iter__", "unbind"), "Going through a tensor row by row"),
    **dict.fromkeys(("grad", "make_dual", "_make_dual"), "Autograd"),
}


def forbid(*rules: tuple[Iterable[str], str]) -> dict[str, str]:
    """Join pairs (names of functions, the rule against them) to what ``Watch`` takes."""
    return {name: rule for names, rule in rules for name in names}


class Watch(TorchFunctionMode):
    """Counts PyTorch's functions while an answer runs, and ends the check at a forbidden one.

    ``forbidden`` maps a function's name to the sentence that says which rule it breaks.
    ``calls`` counts all functions by name: a number that grows with the size of the input
    gives a loop away.
    """

    def __init__(self, forbidden: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.forbidden = dict(forbidden or {})
        self.calls: Counter[str] = Counter()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = getattr(func, "__name__", "").partition(".")[0]  # "addmm.default" is an overload
        self.calls[name] += 1
        if name in self.forbidden:
            spoken = SPOKEN.get(name, name.strip("_"))
            fail(f"{spoken} is ruled out in this exercise.", self.forbidden[name])
        return func(*args, **(kwargs or {}))

    def watched(self, answer: Callable[..., Any]) -> Callable[..., Any]:
        """Return the answer, watched."""
        if not callable(answer):
            return answer

        @functools.wraps(answer)
        def watched(*args: Any) -> Any:
            with self:
                result = answer(*args)
                if isinstance(result, Iterator):  # works only when it is read
                    return list(islice(result, MOST_ITEMS))
                return result

        return watched
