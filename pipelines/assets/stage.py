"""How every asset of the night is made: run one step, show its counts and checks, store nothing else.

Belongs here: the one way from a `StepResult` to Dagster. Does not belong here: any particular stage.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from expectations import feeds
from pipelines.assets.names import Names, renamed
from pipelines.errors import told
from pipelines.resources import Hub, without_values
from pipelines.steps.night import Check, StepResult
from pipelines.steps.standardise import STANDARDISE_CHECKS

# where a steward works off what an asset of the layer shows
DESK = {
    "landing": "/desk/quarantine",
    "standardised": "/desk/quarantine",
    "matched": "/desk/pairs",
    "register": "/desk/customers",
    "proposals": "/desk",
    "extract": "/desk/deliveries",
    "delivery": "/desk/deliveries",
    "disclosure": "/desk",
    "night": "/desk",
}
# what a step has to say at length, where it is more than a word beside its counts
_SAYS = {"night": "letter", "landing": "their_answer", "delivery": "their_answer"}
# checks that list the rules that were broken; their sum is shown on a good night too, so that it plots as a line
_LISTING = {*STANDARDISE_CHECKS, feeds.VALUES, feeds.KEYS, feeds.REFERENCES}


@dataclass(frozen=True)
class Shown:
    """What a steward sees of a stage before it has run.

    checks: by name. columns: of what it brings or fills. ends_red: fails the run where its step says failed, once
    what it has to show is shown.
    """

    checks: Sequence[str] = ()
    columns: dg.TableSchema | None = None
    ends_red: bool = False


def check_result(names: Names, key: dg.AssetKey, check: Check) -> dg.AssetCheckResult:
    """A check as Dagster shows it: yes or no, and what was counted, in words."""
    severity = (
        dg.AssetCheckSeverity.WARN if check.severity == "warning" else dg.AssetCheckSeverity.ERROR
    )
    texts = names.texts
    whole = {"deviations": sum(check.counts.values())} if check.name in _LISTING else {}
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=names.check(check.name),
        passed=check.passed,
        severity=severity,
        metadata={texts.counted(name): n for name, n in {**whole, **check.counts}.items()},
    )


def as_it_stood(
    names: Names, instance: dg.DagsterInstance | None, check: dg.AssetCheckKey
) -> dg.AssetCheckResult:
    """What a check said last, for a night in which there was nothing new to ask it about.

    Dagster shows a check that is not answered in a run as one that failed. One that was never asked passes, and
    says so.
    """
    ended = {AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED}
    store = instance.event_log_storage if instance else None
    before = store.get_asset_check_execution_history(check, 1, status=ended) if store else ()
    last = before[0].evaluation if before else None
    if last is None:
        asked = {names.texts.count("asked"): names.texts.say("check_not_asked")}
        return dg.AssetCheckResult(
            asset_key=check.asset_key, check_name=check.name, passed=True, metadata=asked
        )
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=last.passed,
        severity=last.severity,
        metadata=last.metadata,
    )


def _to_do(names: Names, layer: str, result: StepResult) -> dict[str, dg.MetadataValue]:
    """Where a steward goes on: to what waits, or to the morning's page where something was left unfinished."""
    if result.status == "ok":
        return {}
    place = DESK["night"] if result.status == "failed" else DESK[layer]
    return {names.texts.count("desk"): dg.MetadataValue.url(place)}


def stage(
    names: Names,
    key: Sequence[str],
    deps: Sequence[Sequence[str]],
    run: Callable[[Hub], StepResult],
    shown: Shown,
) -> dg.AssetsDefinition:
    """One asset that runs one step under the hub's run lock.

    While another run holds the lock it ends at once without a materialisation and without failing
    (DESIGN 14); `can_subset` is what makes Dagster accept that its checks stay silent too.
    """
    texts, layer = names.texts, key[0]
    asset_key = dg.AssetKey(list(key))
    spec = dg.AssetSpec(
        asset_key,
        deps=[dg.AssetKey(list(d)) for d in deps],
        description=texts.say(f"asset.{layer}", thing=names.title(key)),
        group_name=names.group(layer),
        owners=[f"team:{texts.say('team')}"],
        skippable=True,
        metadata={
            texts.count("desk"): dg.MetadataValue.url(DESK[layer]),
            **({"dagster/column_schema": shown.columns} if shown.columns else {}),
        },
    )
    checks = [
        dg.AssetCheckSpec(name, asset=asset_key, description=texts.check(name))
        for name in shown.checks
    ]

    @dg.multi_asset(name=names.step(key), specs=[spec], check_specs=checks, can_subset=True)
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
        called, said = names.key(key), texts.count(_SAYS.get(layer, "said"))
        wanted = {key.name for key in context.selected_asset_check_keys}
        results = [check_result(names, called, c) for c in result.checks]
        results = [r for r in results if r.check_name in wanted]
        silent = wanted - {r.check_name for r in results}
        results += [
            as_it_stood(names, hub.instance, dg.AssetCheckKey(called, name))
            for name in sorted(silent)
        ]
        if called not in context.selected_asset_keys:
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
            asset_key=called,
            metadata={
                texts.count("status"): texts.say(f"status.{result.status}"),
                texts.count("night"): texts.day(hub.night.business_date),
                **_to_do(names, layer, result),
                **{texts.count(name): value for name, value in result.counts.items()},
                **broken,
                **({said: dg.MetadataValue.md(result.text)} if result.text else {}),
            },
            check_results=results,
        )
        if shown.ends_red and result.status == "failed":
            date = texts.day(hub.night.business_date)
            raise dg.Failure(
                texts.say("night.failed", date=date),
                metadata={said: dg.MetadataValue.md(result.text)},
            )

    return renamed(wired, names, [key, *deps])
