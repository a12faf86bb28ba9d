"""How long a night takes, beside its bare imports in the same run; by hand: `make bench`.

Prints seconds and ratios, asserts nothing about time. HUB_BENCH_CUSTOMERS sets the town's size.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from pipelines import keys
from pipelines.cli.town import control, point_at, serving
from pipelines.settings import load_settings
from pipelines.store.engine import migrate, open_engine

BARE = "import dagster, pandas, sqlalchemy, requests"
QUIET_NIGHTS = 5


def seconds(*arguments: str, home: Path) -> float:
    """The wall time of a Python process."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments],
        env={**os.environ, "HUB_HOME": str(home)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-500:]
    return time.perf_counter() - started


def test_a_first_night_and_quiet_nights_beside_bare_imports(tmp_path: Path) -> None:
    customers = int(os.environ.get("HUB_BENCH_CUSTOMERS", "2000"))
    home, directory = tmp_path / "hub", tmp_path / "town"
    with serving(directory, customers, 1) as addresses:
        point_at(home, addresses)
        settings = load_settings(home, os.environ)
        keys.init(home, settings.hub.key_file)
        engine = open_engine(settings.hub.database_url)
        migrate(engine)
        engine.dispose()

        def night(date: str) -> float:
            return seconds("-m", "pipelines.cli", "night", "--date", date, home=home)

        def tomorrow() -> str:
            answer = control(directory, "POST", "/advance", {"days": 1, "quiet": True})
            return str(answer["today"])

        first = night(addresses["today"])
        for _ in range(3):  # what the first night returned comes back, and is confirmed
            night(tomorrow())
        quiet, bare = [], []
        for _ in range(QUIET_NIGHTS):
            bare.append(seconds("-c", BARE, home=home))
            quiet.append(night(tomorrow()))
    middle = QUIET_NIGHTS // 2
    q, b = sorted(quiet)[middle], sorted(bare)[middle]
    print(
        json.dumps(
            {
                "customers": customers,
                "first_night_s": round(first, 2),
                "quiet_night_s": round(q, 2),
                "bare_imports_s": round(b, 2),
                "quiet_over_bare": round(q / b, 2),
            }
        )
    )
