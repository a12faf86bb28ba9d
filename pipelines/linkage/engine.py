"""The engine that carries set operations: DuckDB in this process, in memory.

Belongs here: opening and closing it, its settings. Does not belong here: any query.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

_SPILL = "hub-match-"
MEMORY = 3 * 2**30
"""Bytes that the engine keeps before it spills, where the machine has them: what a million records need twice over, and
whoever shares the machine has the rest."""


@contextmanager
def opened(
    threads: int | None = None, home: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty database of its own, gone when the block ends; what does not fit into memory spills to disk.

    threads: as many as there are processors where none are given. home: a folder that is ours alone and where
    nobody else matches meanwhile; what a killed process spilt there goes. Otherwise a private folder among the
    system's temporary ones.
    """
    if home:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in home.glob(f"{_SPILL}*"):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SPILL, dir=home) as spill:
        connection = duckdb.connect(":memory:")
        try:
            connection.execute("set temp_directory = $1", [spill])
            connection.execute("set enable_progress_bar = false")  # it would write to stdout
            connection.execute("set preserve_insertion_order = false")
            connection.execute("set autoinstall_known_extensions = false")
            connection.execute("set autoload_known_extensions = false")
            connection.execute(f"set memory_limit = '{_memory() // 2**20}MiB'")
            if threads is not None:
                connection.execute(f"set threads = {int(threads)}")
            yield connection
        finally:
            connection.close()


def _memory() -> int:
    """MEMORY, or four fifths of a machine that has less."""
    try:
        there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError):  # a system that does not say
        return MEMORY
    return min(MEMORY, there * 4 // 5)
