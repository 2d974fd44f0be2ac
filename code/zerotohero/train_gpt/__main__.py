"""Train a GPT: ``python -m zerotohero.train_gpt --help``."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
