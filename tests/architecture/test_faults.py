"""Every switch of the town in a box is thrown in some journey: a fault nobody tries proves nothing."""

from pathlib import Path

import pytest

from connectors.sandbox.faults import CATALOGUE

JOURNEYS = [p.read_text("utf-8") for p in (Path(__file__).parents[1] / "journeys").glob("*.py")]


@pytest.mark.parametrize(
    ("where", "kind"), [(where, kind) for where, kinds in CATALOGUE.items() for kind in kinds]
)
def test_a_fault_is_tried_in_a_journey(where: str, kind: str) -> None:
    assert [text for text in JOURNEYS if f'"{where}"' in text and f'"{kind}"' in text]
