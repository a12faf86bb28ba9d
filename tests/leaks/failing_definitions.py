"""The hub of HUB_HOME as Dagster's own processes load it, breaking off with an error that names people.

Belongs here: what a schedule or the web page would run. Does not belong here: a night started by `hub`
(`failing_nights`).
"""

import os
from pathlib import Path

from pipelines.build import build_defs
from pipelines.settings import load_settings
from tests.leaks.failing_nights import Saboteur

_home = Path(os.environ["HUB_HOME"])
# Dagster opens the hub once a run
_saboteur = Saboteur(_home, ["ingest:registrations:uncommitted", "ingest:dvv:uncommitted"])
defs = build_defs(_home, load_settings(_home, os.environ), opener=_saboteur.open)
