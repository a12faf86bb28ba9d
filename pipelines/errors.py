"""The root of everything the hub itself says no with, and how any error is told without a person in it.

Belongs here: the root and the telling; each error stands beside the code that raises it. Does not belong
here: errors of the outside (`connectors.base.ConnectorError`) or of the database
(`store.engine.StoreError`).
"""

import sys
import traceback
from pathlib import Path

from connectors.base import ConnectorError


class HubError(Exception):
    """Something a person can mend; `str()` is one line (what, where, what to do) without a value.

    says: the name of the text that says the same at the desk, in its reader's language and without a command to type;
    values: what fills it in. An error without one is shown there in its line.
    """

    def __init__(self, line: str, *, says: str | None = None, **values: object) -> None:
        super().__init__(line)
        self.says = says
        self.values = values


def told(error: BaseException) -> str:
    """One line on what went wrong; of an error nobody foresaw only kind and place, as its text may hold a person."""
    if isinstance(error, _foreseen()):
        return " ".join(str(error).split())
    frames = traceback.extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "nowhere"
    return f"internal error, {type(error).__name__} at {place} (HUB_TRACEBACK=1 shows it whole)"


def _foreseen() -> tuple[type[Exception], ...]:
    # an error of the store can only come up once the store has been imported
    store = sys.modules.get("pipelines.store.engine")
    return (HubError, ConnectorError, *((store.StoreError,) if store is not None else ()))
