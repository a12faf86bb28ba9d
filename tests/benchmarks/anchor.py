"""The anchor: Splink on DuckDB, beside which the hub's seconds and memory are measured.

Belongs here: running it over a register's file, and over new records that meet one. Does not belong here:
its settings (`anchor_models`), judging (`curve`). Runs in the benchmarks' own environment as a program;
nothing of the hub is imported.

    python anchor.py match REGISTER --out FOLDER [--model FOLDER]
    python anchor.py arrivals REGISTER --out FOLDER --model FOLDER [--number N]

Both print one JSON object. `match` writes what `hub match file` does (clusters.parquet, pairs.parquet) and the
model it learnt.
"""

import argparse
import json
import logging
import os
import statistics
import sys
import time
from contextlib import redirect_stdout
from pathlib import Path

import anchor_models as models
import duckdb
from splink import DuckDBAPI, Linker

KINDS = tuple(models.SETTINGS)
LEAST_WEIGHT = -5
MERGED_FROM = 12
"""Match weights: below the one a pair is not kept, from the other on it is merged."""
SAMPLED_PAIRS = 1e7
ROUNDS = 4
"""Batches of new records; the first warms up and is not counted."""


def opened(folder: Path) -> duckdb.DuckDBPyConnection:
    """A database in memory that spills into the folder; two thirds of the machine's memory."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") * 2 // 3
    connection = duckdb.connect()
    connection.execute(f"set threads = {os.cpu_count() or 1}")
    connection.execute(f"set memory_limit = '{memory // 2**20}MB'")
    connection.execute(f"set temp_directory = '{folder / 'spill'}'")
    connection.execute("set enable_progress_bar = false")
    return connection


def normalised(connection: duckdb.DuckDBPyConnection, register: Path) -> None:
    """Makes table `recs` of a register's file."""
    connection.execute(f"create view src as select * from '{register}'")
    connection.execute(models.NORMALISED)


def learnt(linker: Linker, kind: str) -> None:
    """Learns a kind's weights from the records themselves."""
    training = linker.training
    training.estimate_probability_two_random_records_match(models.SURE[kind], recall=0.85)
    training.estimate_u_using_random_sampling(max_pairs=SAMPLED_PAIRS, seed=1)
    for block in models.LEARNING[kind]:
        training.estimate_parameters_using_expectation_maximisation(
            block, estimate_without_term_frequencies=True
        )


def match(register: Path, folder: Path, model: Path | None) -> dict[str, float]:
    """All pairs and clusters of a register; the seconds of each part."""
    parts: dict[str, float] = {}
    began = time.perf_counter()

    def done(part: str) -> None:
        nonlocal began
        now = time.perf_counter()
        parts[part] = round(parts.get(part, 0.0) + now - began, 2)
        began = now

    connection = opened(folder)
    normalised(connection, register)
    done("read")
    clusters, pairs = [], []
    for kind in KINDS:
        connection.execute(f"create table {kind} as select * from recs where kind = '{kind}'")
        records = DuckDBAPI(connection=connection).register(connection.table(kind))
        done("read")
        if model:
            linker = Linker(records, str(model / f"model-{kind}.json"))
        else:
            linker = Linker(records, models.SETTINGS[kind]())
            learnt(linker, kind)
            linker.misc.save_model_to_json(str(folder / f"model-{kind}.json"), overwrite=True)
        done("learn")
        scored = linker.inference.predict(threshold_match_weight=LEAST_WEIGHT)
        done("predict")
        merged = linker.clustering.cluster_pairwise_predictions_at_threshold(
            scored, threshold_match_weight=MERGED_FROM
        )
        done("cluster")
        clusters.append(
            f"select rec_id record_id, '{kind}' || cluster_id cluster_id from {merged.physical_name}"
        )
        pairs.append(
            f'select rec_id_l "left", rec_id_r "right", match_weight score, \'\' verdict '
            f"from {scored.physical_name}"
        )
    for name, queries in (("clusters", clusters), ("pairs", pairs)):
        query = " union all ".join(queries)
        connection.execute(f"copy ({query}) to '{folder / name}.parquet'")
    done("write")
    return parts


def arrivals(register: Path, folder: Path, model: Path, number: int) -> dict[str, float]:
    """The seconds in which so many new records are compared with a register's, and among themselves.

    Warm: the register is prepared, its frequencies are counted, the model is learnt. Batches are taken out
    of the register, so they are like it and belong to parties of it.
    """
    connection = opened(folder)
    normalised(connection, register)
    connection.execute(
        f"""create table batched as select *, (row_number() over (order by hash(rec_id)) - 1)
            // {number} batch from recs"""
    )
    ready = []
    for kind in KINDS:
        connection.execute(
            f"create table {kind} as select * exclude (batch) from batched "
            f"where kind = '{kind}' and batch >= {ROUNDS}"
        )
        api = DuckDBAPI(connection=connection)
        records = api.register(connection.table(kind))
        linker = Linker(records, str(model / f"model-{kind}.json"))
        for column in models.FREQUENCIES[kind]:
            linker.table_management.compute_tf_table(column)
        ready.append((kind, api, linker, records))
    taken, pairs = [], 0
    for batch in range(ROUNDS):
        began = time.perf_counter()
        for kind, api, linker, records in ready:
            name = f"new_{kind}_{batch}"
            connection.execute(
                f"create table {name} as select * exclude (batch) from batched "
                f"where kind = '{kind}' and batch = {batch}"
            )
            new = api.register(connection.table(name))
            for scored in (
                linker.inference.predict_between(records, new, threshold_match_weight=LEAST_WEIGHT),
                linker.inference.predict_within(new, threshold_match_weight=LEAST_WEIGHT),
            ):
                counted = connection.execute(f"select count(*) from {scored.physical_name}")
                pairs += counted.fetchall()[0][0]
        taken.append(time.perf_counter() - began)
    return {"arrivals_seconds": statistics.median(taken[1:]), "arrivals_pairs": pairs / ROUNDS}


def main() -> None:
    """The program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("match", "arrivals"))
    parser.add_argument("register", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--number", type=int, default=5000)
    asked = parser.parse_args()
    logging.getLogger("splink").setLevel(logging.ERROR)
    with redirect_stdout(sys.stderr):
        if asked.what == "match":
            told = match(asked.register, asked.out, asked.model)
        else:
            told = arrivals(asked.register, asked.out, asked.model, asked.number)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
