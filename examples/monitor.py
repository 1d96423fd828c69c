"""Ask an Airflow 3 for the state of its index-url, as a monitor does: exit with 0, 1 (look today) or 2 (act now)."""

import json
import os
import sys
from urllib.error import HTTPError
from urllib.request import Request, urlopen

url = os.environ["AIRFLOW_URL"] + "/codeartifact/status.json"
request = Request(url, headers={"Authorization": f"Bearer {os.environ['AIRFLOW_TOKEN']}"})  # noqa: S310  (our own URL)
try:
    answer = urlopen(request, timeout=30)  # noqa: S310  (as above)
except HTTPError as error:
    if error.code != 503:  # noqa: PLR2004  (the status is documented)
        sys.exit(f"{url} answers {error.code}: is the token valid, and may its user see the refresh DAG?")
    answer = error
targets = json.load(answer)["targets"]
for target in targets:
    print(f"{target['verdict']}: {target['destination']}: {target['sentence']}")
if answer.status == 503:  # noqa: PLR2004  (as above)
    sys.exit(2)
sys.exit(any(target["dag_keeps_it"] is False for target in targets))
