"""The program: its commands, their errors and their exit codes.

Heavy imports wait until a command needs them.
"""

from __future__ import annotations

import contextlib
import signal
import sys
from contextvars import copy_context
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from comp import __version__
from comp.cli.answers import add_answers
from comp.cli.data import add_data
from comp.cli.folds import folds_app
from comp.cli.options import current_names
from comp.cli.reports import add_reports
from comp.cli.shipping import add_shipping
from comp.cli.timed import add_timed
from comp.cli.training import add_training
from comp.core.errors import CompError, Interrupted
from comp.core.terminal import steady_streams, visible, with_options


class Commands(TyperGroup):
    """Turns Ctrl-C into an error with its own exit code before Typer calls it "Aborted"."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        before = signal.getsignal(signal.SIGTERM)
        with contextlib.suppress(ValueError):  # not in the main thread: then it stays as it is
            signal.signal(signal.SIGTERM, _terminate)
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as signal_:
            raise Interrupted(
                "interrupted; the same command goes on from what is finished", signal.SIGINT
            ) from signal_
        finally:
            with contextlib.suppress(ValueError):
                signal.signal(signal.SIGTERM, before)


def _terminate(number: int, frame: FrameType | None) -> None:
    raise Interrupted("terminated; the same command goes on from what is finished", number)


app = typer.Typer(
    cls=Commands,
    help="From a folder of competition images to an accepted submission.",
    rich_markup_mode=None,  # plain help: it does not pay for importing Rich
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


add_data(app)
app.add_typer(folds_app, name="folds", no_args_is_help=True)
add_training(app)
add_timed(app)
add_answers(app)
add_reports(app)
add_shipping(app)


def main() -> None:
    """Run a command and exit with its code: see `comp.core.errors`.

    A user's mistake is a message on stderr, never a traceback.
    """
    try:
        with steady_streams():
            code = copy_context().run(_run)  # the options of this command are of no other
    except OSError as problem:  # what was printed last did not fit
        _tell_error(f"{problem.filename}: {problem.strerror}")
        code = 1
    sys.exit(code)


def _run() -> int | str | None:
    """Run a command and tell its error on stderr; its exit code."""
    try:
        app(current_names(sys.argv[1:]))
    except SystemExit as done:
        return done.code
    except CompError as problem:
        _tell_error(str(problem))
        return problem.exit_code
    except OSError as problem:  # a disk that fails where no stage expects it
        where = f"{problem.filename}: " if problem.filename else ""
        _tell_error(f"{where}{problem.strerror or problem}")
        return 1
    except Exception as problem:
        if not _lacks_memory(problem):
            raise
        _tell_error(_NO_MEMORY)
        return 1
    return 0


_NO_MEMORY = (
    "the memory of this computer, or what this process may use of it, is not enough. What is "
    "finished is kept. End other programs, or use less: a smaller `train.batch_size`, "
    "`predict.batch_size`, `image.size`, or `train.workers: 0`; then run the same command again"
)
# How torch, OpenCV, Python's threads and the loader of libraries say it
_WORDS = (
    *("can't allocate memory", "Insufficient memory", "can't start new thread"),
    *("failed to map segment from shared object", "Cannot allocate memory"),
)


def _lacks_memory(problem: Exception) -> bool:
    return isinstance(problem, MemoryError) or any(word in str(problem) for word in _WORDS)


def _tell_error(text: str) -> None:
    print(f"error: {visible(with_options(text))}", file=sys.stderr)


if __name__ == "__main__":
    main()
