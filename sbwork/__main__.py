"""Run sbwork as ``python -m sbwork``, and as the command that pip installs."""

import signal

__all__ = ["main"]


def main() -> None:
    """Run the command line; whoever stops it while it is loaded sees no traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sbwork.cli import main as run

    run()


if __name__ == "__main__":
    main()
