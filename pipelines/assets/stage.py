"""How every asset of the night is made: run one step, show its counts and checks, store nothing else.

Belongs here: the one way from a `StepResult` to Dagster. Does not belong here: any particular stage.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg

from pipelines.domain.schemas import Schema
from pipelines.errors import told
from pipelines.resources import Hub, without_values
from pipelines.steps.night import Check, StepResult
from pipelines.texts import Texts

GROUPS = {
    "landing": "1_landing",
    "standardised": "2_standardised",
    "matched": "3_matched",
    "register": "4_register",
    "proposals": "4_register",
    "extract": "5_extract",
    "delivery": "6_delivery",
    "disclosure": "7_disclosure",
    "night": "8_close",
}


@dataclass(frozen=True)
class Shown:
    """What a steward sees of a stage before it has run.

    title: whom it is about, in the steward's language. checks: by name. tables: whose columns it fills.
    """

    title: str = ""
    checks: Sequence[str] = ()
    tables: Sequence[Schema] = ()
    kinds: Sequence[str] = ()


def columns_of(tables: Sequence[Schema]) -> dg.TableSchema:
    """Column table with privacy tags: names and meanings, never values."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=f"{table.name}.{column.name}",
                type=column.kind,
                description=column.meaning,
                tags={"privacy": column.privacy},
                constraints=dg.TableColumnConstraints(nullable=column.name not in table.key),
            )
            for table in tables
            for column in table.fields
        ]
    )


def check_result(texts: Texts, key: dg.AssetKey, check: Check) -> dg.AssetCheckResult:
    """A check as Dagster shows it: yes or no, and what was counted, in words."""
    severity = (
        dg.AssetCheckSeverity.WARN if check.severity == "warning" else dg.AssetCheckSeverity.ERROR
    )
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=check.name,
        passed=check.passed,
        severity=severity,
        metadata={texts.counted(name): n for name, n in check.counts.items()},
    )


def stage(
    texts: Texts,
    key: Sequence[str],
    deps: Sequence[Sequence[str]],
    run: Callable[[Hub], StepResult],
    shown: Shown,
) -> dg.AssetsDefinition:
    """One asset that runs one step under the hub's run lock.

    While another run holds the lock it ends at once without a materialisation and without failing
    (DESIGN 14); `can_subset` is what makes Dagster accept that its checks stay silent too.
    """
    asset_key = dg.AssetKey(list(key))
    layer, thing = key[0], shown.title
    spec = dg.AssetSpec(
        asset_key,
        deps=[dg.AssetKey(list(d)) for d in deps],
        description=texts.say(f"asset.{layer}", thing=thing),
        group_name=GROUPS[layer],
        owners=["team:customer-service"],
        kinds=set(shown.kinds),
        skippable=True,
        metadata={"dagster/column_schema": columns_of(shown.tables)} if shown.tables else {},
    )
    checks = [
        dg.AssetCheckSpec(name, asset=asset_key, description=texts.check(name))
        for name in shown.checks
    ]

    @dg.multi_asset(name="__".join(key), specs=[spec], check_specs=checks, can_subset=True)
    def wired(
        context: dg.AssetExecutionContext, hub: dg.ResourceParam[Hub]
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        if hub.busy:
            context.log.warning("already running: %s", hub.house.lock.holder())
            return
        try:
            result = run(hub)
        except dg.Failure:  # in our own words
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, Dagster would keep its text
            hub.house.failures.append(("/".join(key), told(error)))
            raise without_values(error) from None
        wanted = {key.name for key in context.selected_asset_check_keys}
        results = [check_result(texts, asset_key, c) for c in result.checks if c.name in wanted]
        if asset_key not in context.selected_asset_keys:
            yield from results  # somebody ran a check alone: the step is safe to run again
            return
        # what is wrong stands beside the asset too, by its meaning, one click before its checks
        broken = {
            texts.counted(name): n
            for check in result.checks
            if not check.passed
            for name, n in check.counts.items()
        }
        yield dg.MaterializeResult(
            asset_key=asset_key,
            metadata={
                texts.count("status"): texts.say(f"status.{result.status}"),
                **{texts.count(name): value for name, value in result.counts.items()},
                **broken,
                **({texts.count("said"): dg.MetadataValue.md(result.text)} if result.text else {}),
            },
            check_results=results,
        )

    return wired
