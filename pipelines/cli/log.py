"""Commands about the disclosure log as a proof: verify, witnesses.

Does not belong here: what is in it about a person (`steward`), keys (`setup`).
"""

from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import click

from pipelines.cli import Failed, Invocation, answer, json_option

_SHOWN = 20


@click.command()
@click.option(
    "--against", "notes", multiple=True, metavar="NOTE_FILE",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A checkpoint kept outside: a witness's file, or a morning letter. May be given again.",
)  # fmt: skip
@json_option
@click.pass_obj
def verify(invocation: Invocation, notes: tuple[Path, ...], as_json: bool) -> None:
    """Recompute the whole disclosure log, and say what a forger could still do unseen.

    Leaves, their trees and every checkpoint's root and signature; every detail against its leaf; every
    delivery, its rows, receipt and state against what was logged of it. What is wrong is named by leaf,
    delivery or checkpoint, never by person; exit code 1 then. A checkpoint that somebody outside has kept
    (--against) shows whether history was rewritten since, whoever did it.

    \b
    Examples:
      hub disclosures verify
      hub disclosures verify --against letters/2026-11-02.txt
      hub disclosures verify --json
    """
    from pipelines.house import open_house
    from pipelines.steps.verify import verify as recompute

    against = [(path.name, _note_in(path)) for path in notes]
    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    try:
        found, exposure = recompute(house.night(), against)
    finally:
        house.close()
    wrong = [str(finding) for finding in found.findings]
    counts = {
        name: getattr(found, name)
        for name in ("leaves", "unsealed", "checkpoints", "details", "erased", "deliveries")
    }
    answer(
        as_json,
        {
            **counts,
            "compared": [name for name, _ in against],
            "findings": [asdict(finding) for finding in found.findings],
            "exposure": {**asdict(exposure), "sentence": exposure.sentence},
        },
        [
            ", ".join(f"{n} {name}" for name, n in counts.items()),
            *(f"wrong    {line}" for line in wrong[:_SHOWN]),
            *([f"wrong    … and {len(wrong) - _SHOWN} more"] if len(wrong) > _SHOWN else []),
            *(f"compared {name}" for name, _ in against if not wrong),
            *(
                f"witness  {name} holds {size} leaves of {segment} since {since}"
                for name, segment, size, since in exposure.witnesses
            ),
            *([] if wrong else ["the disclosure log is whole"]),
            exposure.sentence,
        ],
    )
    if wrong:
        raise Failed(f"the disclosure log does not hold: {wrong[0]} ({len(wrong)} in all)")


def _note_in(path: Path) -> str:
    """The note of a file, also of one with other words around it, as a letter has."""
    paragraphs = (
        path.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").split("\n\n")
    )
    for head, signatures in pairwise(paragraphs):
        lines = [line for line in signatures.split("\n") if line.startswith("\N{EM DASH} ")]
        if lines and len(head.strip().split("\n")) >= 3:
            return f"{head.strip()}\n\n" + "".join(f"{line}\n" for line in lines)
    raise Failed(f"{path.name} holds no checkpoint: a witness's file or a morning letter does")


@click.command()
@json_option
@click.pass_obj
def witnesses(invocation: Invocation, as_json: bool) -> None:
    """Who outside holds which checkpoint of the log, since when, and who failed to get one.

    \b
    Examples:
      hub disclosures witnesses
      hub disclosures witnesses --json
    """
    from pipelines.house import open_house
    from pipelines.store import checkpoints
    from pipelines.store.engine import reading

    house = open_house(invocation.home, invocation.environ, clock=invocation.clock)
    configured = house.settings.hub.witnesses
    with reading(house.engine) as conn:
        known = {w.witness: w for w in checkpoints.witnesses(conn)}
        head = checkpoints.latest(conn)
        cosigned = checkpoints.cosignatures(conn)
        vkeys = checkpoints.vkeys(conn)
    house.close()
    rows = [
        {
            "witness": name,
            "configured": name in configured,
            "checkpoint": known[name].checkpoint_no if name in known else None,
            "at": known[name].at if name in known else None,
            "failing": known[name].reason if name in known else None,
            "cosigned": int((cosigned["witness"] == name).sum()),
        }
        for name in sorted(configured.keys() | known.keys())
    ]
    answer(
        as_json,
        {"vkeys": vkeys, "newest": head.checkpoint_no if head else None, "witnesses": rows},
        [
            *(f"key      {key}" for key in vkeys),
            f"newest   checkpoint {head.checkpoint_no} of {head.at}"
            if head
            else "newest   none yet",
            *(
                f"witness  {row['witness']}: "
                + (f"checkpoint {row['checkpoint']} since {row['at']}" if row["at"] else "has none")
                + (f", {row['cosigned']} cosigned" if row["cosigned"] else "")
                + (f"; {row['failing']}" if row["failing"] else "")
                + ("" if row["configured"] else " (no longer configured)")
                for row in rows
            ),
            *([] if rows else ["no witness is configured: config/hub.yml, witnesses"]),
        ],
    )
