"""`python -m connectors.sandbox --dir DIR`: serve the town until SIGTERM, Ctrl-C or POST /stop."""

import argparse
import signal
from collections.abc import Sequence
from pathlib import Path

from connectors.sandbox.town import FIRST_DAY, start


def serve(directory: Path, customers: int, seed: int, first_day: str = FIRST_DAY) -> None:
    """Start the town, print one line when it is ready, and stay until asked to stop.

    Must be called in the main thread, as it listens to signals; their former handlers come back.
    """
    with start(directory, customers, seed, first_day) as town:
        stops = (signal.SIGTERM, signal.SIGINT)
        former = [signal.signal(s, lambda *_: town.ask_to_stop()) for s in stops]
        try:
            print(
                f"town of {customers} customers on {town.today}; addresses in {directory}/addresses.json",
                flush=True,
            )
            town.wait()
        finally:
            for signal_number, handler in zip(stops, former, strict=True):
                signal.signal(signal_number, handler)


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and serve; the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m connectors.sandbox", description="The town in a box."
    )
    parser.add_argument("--dir", type=Path, required=True, help="folder to keep the town in")
    parser.add_argument("--customers", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--start", default=FIRST_DAY, metavar="DATE", help="date of the first night"
    )
    given = parser.parse_args(arguments)
    try:
        serve(given.dir, given.customers, given.seed, given.start)
    except ValueError as wrong:
        parser.exit(1, f"{wrong}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
