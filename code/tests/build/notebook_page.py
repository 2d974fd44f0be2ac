"""A page with everything that the chapters use, to export as a notebook."""

from build_scratch import FRONT, SVG

FOUR = "`" * 4

PAGE = (
    FRONT.replace("SETTINGS", "data: [names]")
    + f"""\
# The page

Costs $x_i$ or \\$5, a\\*b, `a|b` and *so* **on** <https://example.org/a>. See
{{numref}}`fig-square`, {{eq}}`eq-line`, [the other](02-two.md), [below](#below)
and {{numref}}`ex-first`.

```{{code-cell}}
import toy
print("hello", toy.VALUE)
```

```{{code-cell}}
---
tags: [hide-input]
mystnb:
  image: {{alt: A small red square on white}}
  figure: {{caption: "The square of $x$, as in {{eq}}`eq-line`.", name: fig-square}}
---
from IPython.display import SVG
SVG('{SVG}')
```

```{{code-cell}}
:tags: [remove-cell]
hidden = 1
```

```{{code-cell}}
from myst_nb import glue
assert hidden
glue("answer", 42, display=False)
```

The answer is {{glue:text}}`answer`.

(below)=
## A section

```{{math}}
:label: eq-line
a &= b \\\\
  &= c
```

\\begin{{align}}
x &= y
\\end{{align}}

:::{{admonition}} Trap: a note
:class: warning

With a formula, $$p = q$$ and code:

```python
x = 1
```
:::

- one `a`

  more of one
- two
  1. inner
  2. inner two

Term
: What it means.

| a | $p(a \\vert b)$ |
|---|---|
| `x\\|y` | {{glue:text}}`answer` |

```{{literalinclude}} ../code/toy/__init__.py
:caption: The package
:language: python
```

```{{bash}}
```

## Exercises

```{{exercise-start}} Do it
:label: ex-first
```
Write `f`.
```{{exercise-end}}
```

```{{code-cell}}
def f(): ...
```

:::{{admonition}} Hint 1
:class: dropdown
Think of $x < y$.
:::

```{{solution-start}} ex-first
:class: dropdown
```
It is short:

```{{code-cell}}
def f():
    return 1
```

Done.
```{{solution-end}}
```

```{{exercise-start}}
:label: ex-second
```
Again.
```{{exercise-end}}
```

```{{solution-start}} ex-second
:class: dropdown
```
```{{code-cell}}
f()
```
```{{solution-end}}
```

Text after the solution.

```{{code-cell}}
:tags: [remove-cell]
last = True
```
"""
).replace("```{bash}\n```\n\n", "")
