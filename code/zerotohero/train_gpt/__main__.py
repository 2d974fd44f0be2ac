"""Train a GPT: ``python -m zerotohero.train_gpt --help``."""

from zerotohero.console import run_command


def main() -> int:
    """Run the command."""
    from .command import main  # imports torch, which takes seconds: Ctrl-C ends that, too

    return main()


raise SystemExit(run_command(main))
