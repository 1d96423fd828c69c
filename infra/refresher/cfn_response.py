"""Send the response to a CloudFormation custom resource request, whatever happens.

Without a response a stack waits for an hour. So there is one on success, on an exception, and shortly before the
function's timeout. Source: CloudFormation user guide, custom resource response objects.
"""

from __future__ import annotations

import json
import logging
import threading
from typing import TYPE_CHECKING, Any

import urllib3

if TYPE_CHECKING:
    from collections.abc import Callable

# Enough to send the response, with one retry, before Lambda stops the process.
_RESERVE_SECONDS = 10
# A response may have 4,096 bytes, and JSON may need two bytes for one.
_REASON_BYTES = 1024

log = logging.getLogger(__name__)


def answer(event: dict[str, Any], context: Any, act: Callable[[dict[str, Any]], tuple[str, dict[str, str]]]) -> None:
    """Process a request and send exactly one response.

    :param event: the request.
    :param context: the Lambda context.
    :param act: processes the request and returns physical resource id and attributes.
    """
    once = threading.Lock()

    def send(status: str, physical_resource_id: str, reason: str = "", data: dict[str, str] | None = None) -> None:
        if once.acquire(blocking=False):
            _put(event, status, physical_resource_id, f"{reason} See {context.log_stream_name}".strip(), data or {})

    # A failed Create needs an id as well; with the old resource's id, a failed Update deletes nothing.
    known_id = event.get("PhysicalResourceId") or context.log_stream_name
    seconds = context.get_remaining_time_in_millis() / 1000 - _RESERVE_SECONDS
    watchdog = threading.Timer(max(seconds, 0), send, ("FAILED", known_id, "The function's time is up."))
    watchdog.daemon = True
    watchdog.start()
    try:
        physical_resource_id, data = act(event)
    except Exception as error:
        log.exception("%s failed", event["RequestType"])
        reason = str(error).encode()[:_REASON_BYTES].decode(errors="ignore")
        send("FAILED", known_id, f"{reason}.")
    else:
        send("SUCCESS", physical_resource_id, data=data)
    finally:
        watchdog.cancel()


def _put(event: dict[str, Any], status: str, physical_resource_id: str, reason: str, data: dict[str, str]) -> None:
    body = json.dumps(
        {
            "Status": status,
            "Reason": reason,
            "PhysicalResourceId": physical_resource_id,
            "StackId": event["StackId"],
            "RequestId": event["RequestId"],
            "LogicalResourceId": event["LogicalResourceId"],
            "Data": data,
        },
        ensure_ascii=False,
    )
    log.info("%s %s: sent the response %s", event["RequestType"], event["LogicalResourceId"], status)
    with urllib3.PoolManager() as pool:
        # The URL is presigned for a PUT without content type.
        pool.request(
            "PUT",
            event["ResponseURL"],
            body=body.encode(),
            headers={"Content-Type": ""},
            retries=urllib3.Retry(total=2, backoff_factor=0.5, status_forcelist=(500, 502, 503, 504)),
            timeout=urllib3.Timeout(total=3),
        )
