"""Run sbwork as ``python -m sbwork``, and as the command that pip installs."""

import signal
from types import FrameType

__all__ = ["main"]


def main() -> None:
    """Run the command line; whoever stops it, at whatever moment, sees no traceback."""
    watched = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if watched:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sbwork.cli import main as run

    if watched:
        signal.signal(signal.SIGINT, _stop_once)
    try:
        run()
    finally:
        if signal.getsignal(signal.SIGINT) is _stop_once:
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def _stop_once(signum: int, frame: FrameType | None) -> None:
    """Let the first interrupt stop the command, and no other stop its tidying up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
