"""A DAG for tests whose line is published late; copied into the DAGs folder of a test's own Airflow."""

from datetime import UTC, datetime, timedelta
from typing import Any

from mwaa_codeartifact.compat import DAG
from mwaa_codeartifact.sensors import CodeArtifactIndexUrlFreshSensor


class LateSensor(CodeArtifactIndexUrlFreshSensor):
    """A sensor that finds no line and defers; only then the line is published."""

    def execute(self, context: Any) -> Any:
        from mwaa_codeartifact.hooks import CodeArtifactHook  # noqa: PLC0415  (a parse of this file must stay cheap)
        from mwaa_codeartifact.settings import settings_of, target_from  # noqa: PLC0415  (as above)

        try:
            return super().execute(context)
        except BaseException as error:
            self.log.info("late: %s", type(error).__name__)
            target = target_from(settings_of(self))
            hook = CodeArtifactHook(aws_conn_id=None, region_name=target.repository.domain.region)
            hook.refresh_index_url(target, min_remaining=timedelta(0))
            raise


with DAG("late", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)):
    LateSensor(task_id="wait", aws_conn_id=None, deferrable=True, poke_interval=1, timeout=60)
