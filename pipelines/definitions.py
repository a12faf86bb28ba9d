"""The one file Dagster loads; it builds the hub of HUB_HOME."""

import os
from pathlib import Path

from pipelines.build import build_defs
from pipelines.settings import load_settings

_home = Path(os.environ.get("HUB_HOME", ".hub")).resolve()
defs = build_defs(_home, load_settings(_home, os.environ))
