"""Train a GPT: ``python -m zerotohero.train_gpt --help``."""

from .command import main

raise SystemExit(main())
