"""What the demo tells at its end: figures against the truth, and the town's stories as the hub holds them.

Belongs here: grading a hub against the sandbox's truth. Does not belong here: anything a night needs.
The people are made up; nowhere else may names be printed like this.
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.domain.dealings import balance
from pipelines.domain.postal import GRADES
from pipelines.domain.schemas import (
    GOLDEN,
    GOLDEN_POINTS,
    GOLDEN_ROLES,
    INVOICES,
    ORDERS,
    PARTY_RECORDS,
)
from pipelines.house import House, open_house
from pipelines.store import (
    deliveries,
    disclosures,
    frames,
    holdings,
    nights,
    postal,
    quarantine,
    questions,
)
from pipelines.store.engine import transaction

OWN = "registrations"


@dataclass(frozen=True)
class Tale:
    """The demo's answer: payload with stable keys, and the same as lines for a person."""

    payload: dict[str, Any]
    lines: list[str]


def summarise(
    home: Path,
    truth: Mapping[str, Any],
    stories: Sequence[Mapping[str, Any]],
    nights: Sequence[Mapping[str, Any]],
) -> Tale:
    """Read the hub of `home` and hold it against the truth."""
    house = open_house(home)
    facts = _figures(house, truth, nights)
    lines = [*_figures_as_lines(facts), "", "What happened to", *_stories(house, truth, stories)]
    strangers = _strangers(house, truth)
    left = traces(home, strangers)
    facts["traces_of_non_customers"] = len(left)
    lines.append(
        f"  non-customers     {len(strangers)} names and homes of people who are no customers "
        f"looked for in every byte under {home}: {len(left)} found"
    )
    house.close()
    return Tale(facts, lines)


def _strangers(house: House, truth: Mapping[str, Any]) -> list[str]:
    """Words that only people who are no customers go by, enquirers in the own register's export included."""
    with transaction(house.engine) as conn:
        golden = frames.read(conn, GOLDEN)
        points = frames.read(conn, GOLDEN_POINTS)
    ours = "\n".join(
        pd.concat([golden["display_name"], golden["street_line"], points["street_line"]]).dropna()
    )
    told = [row[part] for row in truth["non_customers"] for part in ("name", "street_line")]
    return [*truth["canaries"], *(word for word in told if word and word not in ours)]


def _figures(
    house: House, truth: Mapping[str, Any], ran: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    with transaction(house.engine) as conn:
        feeds = [f for night in ran for f in nights.feeds_of(conn, night["date"])]
        refused = quarantine.open_items(conn)
        records = frames.read(conn, PARTY_RECORDS)
        golden = frames.read(conn, GOLDEN)
        points = frames.count(conn, GOLDEN_POINTS)
        totals = {
            name: [deliveries.totals(conn, name, night["date"]) for night in ran]
            for name in house.settings.recipients
        }
        returned = holdings.returned(conn, "own_register")
        corrected = holdings.returned(conn, "municipality")
        logged = disclosures.detail_count(conn)
        graded = postal.standing(conn)["postal_check"].value_counts()
        asked = {
            name: questions.came_to(conn, name)
            for name, source in house.settings.sources.items()
            if source.configured and source.asks_in_batches
        }
        invoices, orders = frames.read(conn, INVOICES), frames.count(conn, ORDERS)
    precision, recall = grade(records, truth)
    kinds = golden["party_type"].value_counts()
    return {
        "sources": {
            name: {
                "fetched": sum(f.fetched for f in feeds if f.source == name),
                "accepted": sum(f.landed for f in feeds if f.source == name)
                - int((refused["source"] == name).sum()),
                "quarantined": int((refused["source"] == name).sum()),
            }
            for name, source in house.settings.sources.items()
            if source.configured
        },
        "register": {
            "customers": len(golden),
            "persons": int(kinds.get("person", 0)),
            "organisations": int(kinds.get("organisation", 0)),
            "points": points,
        },
        "addresses": {grade: int(graded.get(grade, 0)) for grade in GRADES},
        "matching": {"precision": precision, "recall": recall},
        "delivery": {
            "rows": sum(t["sent"] for t in totals.get("finance", [])),
            "acknowledged": sum(t["acknowledged"] for t in totals.get("finance", [])),
        },
        "returned": {
            "sent": len(returned),
            "confirmed": int((returned["state"] == "confirmed").sum()),
        },
        "corrected": {
            "sent": len(corrected),
            "confirmed": int((corrected["state"] == "confirmed").sum()),
        },
        "asked_in_batches": asked,
        "dealings": {
            "invoices": len(invoices),
            "unpaid": balance(invoices).unpaid,
            "in_collection": int((invoices["invoice_state"] == "in_collection").sum()),
            "not_stated": balance(invoices).not_stated,
            "orders": orders,
        },
        "disclosures": logged,
        "nights": [{"date": n["date"], "seconds": n["seconds"], "exit": n["exit"]} for n in ran],
    }


def grade(records: pd.DataFrame, truth: Mapping[str, Any]) -> tuple[float, float]:
    """Pairwise precision and recall of the own register's numbers put together as one customer."""
    own = records[(records["source"] == OWN) & records["source_key"].isin(truth["customers"])]
    said = {
        pair
        for _, keys in own.groupby("party_id")["source_key"]
        for pair in combinations(sorted(keys), 2)
    }
    held = set(own["source_key"])
    true = {tuple(sorted(pair)) for pair in truth["pairs"] if set(pair) <= held}
    right = len(said & true)
    return (
        round(right / len(said), 4) if said else 1.0,
        round(right / len(true), 4) if true else 1.0,
    )


def traces(home: Path, words: Iterable[str]) -> list[str]:
    """Which of the words stand anywhere under `home`, in a name or in a byte of any file."""
    wanted = [w.encode() for w in words]
    haystack = b"\n".join(
        str(path.relative_to(home)).encode() + b"\n" + path.read_bytes()
        for folder, _, files in os.walk(home)
        for path in (Path(folder) / f for f in files)
        if path.is_file()
    )
    return [w.decode() for w in wanted if w in haystack]


def _figures_as_lines(facts: Mapping[str, Any]) -> list[str]:
    lines = [""]
    for name, s in facts["sources"].items():
        lines.append(
            f"{name:<16}  {s['fetched']} records read, {s['accepted']} new or changed taken in, "
            f"{s['quarantined']} in quarantine"
        )
    register, matching = facts["register"], facts["matching"]
    lines.append(
        f"{'register':<16}  {register['customers']} customers ({register['persons']} persons, "
        f"{register['organisations']} organisations) at {register['points']} consumption points"
    )
    known = facts["addresses"]
    lines.append(
        f"{'addresses':<16}  {sum(known.values())} held against the post's file: {known['exact']} "
        f"exact, {known['street_known']} street only, {known['postal_code_only']} postal code only, "
        f"{known['unknown']} unknown"
    )
    lines.append(
        f"{'matching':<16}  precision {matching['precision']:.4f}, recall {matching['recall']:.4f} "
        "against the truth"
    )
    lines.append(
        f"{'finance':<16}  {facts['delivery']['rows']} rows sent, "
        f"{facts['delivery']['acknowledged']} acknowledged"
    )
    lines.append(
        f"{'own register':<16}  {facts['returned']['sent']} corrections returned, "
        f"{facts['returned']['confirmed']} confirmed by its next export"
    )
    lines.append(
        f"{'municipality':<16}  {facts['corrected']['sent']} errors of its own told, "
        f"{facts['corrected']['confirmed']} mended by its next drop"
    )
    for name, grades in facts["asked_in_batches"].items():
        answers = ", ".join(f"{grade} {n}" for grade, n in sorted(grades.items()))
        lines.append(f"{name:<16}  {sum(grades.values())} people asked about in batches: {answers}")
    dealt = facts["dealings"]
    lines.append(
        f"{'invoices, orders':<16}  {dealt['invoices']} invoices, {dealt['unpaid']} unpaid, of them "
        f"{dealt['in_collection']} in collection and {dealt['not_stated']} not stated any more; "
        f"{dealt['orders']} orders"
    )
    lines.append(f"{'disclosure log':<16}  {facts['disclosures']} entries about people")
    took = ", ".join(
        f"{n['date']} {n['seconds']} s{'' if n['exit'] == 0 else ' NOT CLEAN'}"
        for n in facts["nights"]
    )
    lines.append(f"{'nights':<16}  {took}")
    return lines


def _stories(
    house: House, truth: Mapping[str, Any], stories: Sequence[Mapping[str, Any]]
) -> list[str]:
    with transaction(house.engine) as conn:
        records = frames.read(conn, PARTY_RECORDS)
        golden = frames.read(conn, GOLDEN).set_index("party_id")
        refused = quarantine.open_items(conn)
        told = holdings.told_to(conn, "finance")
        held = holdings.held(conn, "finance").set_index("party_id")
    party = records[records["source"] == OWN].set_index("source_key")["party_id"]
    by_name = {s["story"]: s for s in stories}

    def ids(story: str) -> list[Any]:
        return (
            [party.get(n) for n in by_name[story]["customer_numbers"]] if story in by_name else []
        )

    def billed(number: object) -> str:
        rows = told.loc[told["party_id"] == number, "row"]
        if rows.empty:
            return "not billed"
        row = rows.iloc[-1]
        route = {"paper": f"{row['street_line']}, {row['postal_code']} {row['post_office']}"}
        return route.get(
            row["delivery_channel"], f"{row['delivery_channel']} {row['channel_address']}"
        )

    lines = []
    if "mover" in by_name:
        was = by_name["mover"]["canary"].get("street_line", "")
        lines.append(
            f"  a mover           lived at {was}; the bill now goes to {billed(ids('mover')[0])}"
        )
    for story in ("father_and_son", "father_and_son_without_codes"):
        if story in by_name:
            apart = len(set(ids(story))) == len(ids(story))
            lines.append(
                f"  father and son    {by_name[story]['canary'].get('name', '')} twice at one address: "
                f"{'kept apart' if apart else 'PUT TOGETHER'}"
            )
    if "same_person" in by_name:
        found = set(ids("same_person"))
        lines.append(
            f"  one person        spelled {len(ids('same_person'))} ways: {len(found)} customer(s) in the register"
        )
    if "refused_row" in by_name:
        number = by_name["refused_row"]["customer_numbers"][0]
        rule = refused.loc[refused["source_key"] == number, "rule"]
        lines.append(
            f"  a refused row     customer {number} waits in quarantine: "
            f"{rule.iloc[0] if len(rule) else 'NOT THERE'}"
        )
    for story in ("protected", "protected_e_invoice", "protected_without_route"):
        if story in by_name:
            who = ids(story)[0]
            home = by_name[story]["canary"].get("street_line", "-")
            known = golden.loc[who, "street_line"] if who in golden.index else None
            held_why = held.loc[who, "reason"] if who in held.index else None
            route = f"held back ({held_why})" if held_why else f"billed by {billed(who)}"
            lines.append(
                f"  a protected one   home {'SHOWN' if known == home else 'hidden'}, {route}"
            )
    return [*lines, *_stories_of_others(house, by_name, ids)]


def _stories_of_others(
    house: House,
    by_name: Mapping[str, Mapping[str, Any]],
    ids: Callable[[str], list[Any]],
) -> list[str]:
    """What the municipality, the register of organisations and building control had to say."""
    with transaction(house.engine) as conn:
        golden = frames.read(conn, GOLDEN).set_index("party_id")
        roles = frames.read(conn, GOLDEN_ROLES)
        points = frames.read(conn, GOLDEN_POINTS).set_index("point_ref")
        returned = holdings.returned(conn, "municipality")
    lines = []
    if "company_bankrupt" in by_name:
        firm = golden.loc[[i for i in ids("company_bankrupt") if i in golden.index]]
        state = firm["company_situation"].dropna()
        lines.append(
            f"  a company         {by_name['company_bankrupt']['canary']['name']}: "
            f"{state.iloc[0] if len(state) else 'nothing known'}, as the register of organisations says"
        )
    if "house_sold" in by_name:
        told = by_name["house_sold"]["canary"]
        point = points.loc[told["point"], "point_id"]
        owning = roles[(roles["point_id"] == point) & (roles["role_type"] == "owner")]
        owning = owning[owning["valid_to"].isna()].merge(golden, on="party_id")
        lines.append(
            f"  a house           at {told['street_line']}, sold by {told['name']}: now owned by "
            f"{' and '.join(owning['display_name']) or 'NOBODY'}"
        )
    if "building_demolished" in by_name:
        told = by_name["building_demolished"]["canary"]
        state = points.loc[told["point"], "building_state"]
        lines.append(f"  a building        at {told['street_line']}: {state}")
    if "municipality_in_error" in by_name:
        told = by_name["municipality_in_error"]["canary"]
        mine = returned[(returned["their_key"] == told["henkilonro"])]
        states = sorted(set(mine["state"]))
        lines.append(
            f"  the municipality  held {told['old_line']} for somebody at {told['new_line']}: "
            f"told so by its own key, {', '.join(states) or 'NOT TOLD'}"
        )
    return lines
