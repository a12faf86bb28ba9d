"""The job that refreshes customers by the number of a request, for stewards in Dagster's page.

Belongs here: its wiring and its only setting. Does not belong here: what a refresh does
(`steps.answer_request`), assets. Dagster sees counts, how each register answered, and names of fields.
"""

import dagster as dg

from pipelines.errors import told
from pipelines.resources import Hub, without_values
from pipelines.steps.answer_request import answer_request
from pipelines.texts import Texts

ADDRESS_REFRESH = "address_refresh"


class RefreshConfig(dg.Config):
    """The number that `hub refresh --later` printed; nothing a person typed is ever taken (DESIGN 16)."""

    request_no: int


def address_refresh(texts: Texts, hub: dg.ResourceDefinition) -> dg.JobDefinition:
    """The job, with the hub as a resource that waits for another run to end."""

    @dg.op(name="refresh", description=texts.say("job.address_refresh"))
    def carry_out(
        context: dg.OpExecutionContext, config: RefreshConfig, hub: dg.ResourceParam[Hub]
    ) -> None:
        if hub.busy:
            raise dg.Failure(
                f"the hub is busy: {hub.house.lock.holder() or 'another run'} holds it; nobody was asked"
            )
        try:
            result = answer_request(hub.night, config.request_no, hub.house.source, texts)
        except Exception as error:  # noqa: BLE001 - whatever it is, Dagster would keep its text
            hub.house.failures.append((ADDRESS_REFRESH, told(error)))
            raise without_values(error) from None
        said: dict[str, dg.RawMetadataValue] = {
            texts.count("status"): texts.say(f"status.{result.status}"),
            **{texts.count(name): value for name, value in result.counts.items()},
            texts.count("said"): dg.MetadataValue.md(result.text),
        }
        if result.status == "failed":
            raise dg.Failure(texts.say("refresh.nobody"), metadata=said)
        context.add_output_metadata(said)
        context.log.info(texts.say("refresh.done", number=config.request_no))

    @dg.job(
        name=ADDRESS_REFRESH,
        description=texts.say("job.address_refresh"),
        resource_defs={"hub": hub},
        # stands in the launchpad when it is opened: only the nought has to be replaced; 0 is no request's number
        config={"ops": {"refresh": {"config": {"request_no": 0}}}},
        executor_def=dg.in_process_executor,
    )
    def job() -> None:
        carry_out()

    return job
