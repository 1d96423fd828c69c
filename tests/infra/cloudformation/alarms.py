"""CloudWatch's evaluation of an alarm, minute by minute.

Source: CloudWatch user guide, "Alarm evaluation" and "Configuring how CloudWatch alarms treat missing data". What it
leaves open is how many periods beyond EvaluationPeriods are looked at: a parameter here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

ACTIONS = {"ALARM": "AlarmActions", "OK": "OKActions", "INSUFFICIENT_DATA": "InsufficientDataActions"}
_STATISTICS = {"Sum": sum, "Minimum": min}
_COMPARISONS = {
    "LessThanThreshold": lambda value, threshold: value < threshold,
    "GreaterThanOrEqualToThreshold": lambda value, threshold: value >= threshold,
}


def messages(
    alarm: dict[str, Any], datapoints: Sequence[tuple[int, float]], minutes: int, more_periods: int
) -> list[tuple[int, str]]:
    """Return what an alarm says: the minute, and the state that it goes to where that has an action.

    :param alarm: its properties.
    :param datapoints: minute since the alarm was made, and value.
    :param minutes: for how long.
    :param more_periods: how many periods besides EvaluationPeriods are looked at for data.
    """
    state, said = "INSUFFICIENT_DATA", []
    for now in range(minutes):
        new = _evaluate(alarm, datapoints, now, more_periods, state)
        if new != state and alarm.get(ACTIONS[new]):
            said.append((now, new))
        state = new
    return said


def _evaluate(
    alarm: dict[str, Any], datapoints: Sequence[tuple[int, float]], now: int, more_periods: int, state: str
) -> str:
    periods, length = alarm["EvaluationPeriods"], alarm["Period"] // 60
    newest_first = [_breaching(alarm, datapoints, now - n * length, length) for n in range(periods + more_periods)]
    real = [breaching for breaching in newest_first if breaching is not None]
    missing = alarm.get("TreatMissingData", "missing")
    if not real and missing in {"missing", "ignore"}:
        return "INSUFFICIENT_DATA" if missing == "missing" else state
    # Data that is there comes before what is made up for missing data.
    made_up = [missing == "breaching"] * max(0, periods - len(real)) if missing in {"breaching", "notBreaching"} else []
    judged = (real + made_up)[:periods]
    return "ALARM" if sum(judged) >= alarm.get("DatapointsToAlarm", periods) else "OK"


def _breaching(alarm: dict[str, Any], datapoints: Sequence[tuple[int, float]], end: int, length: int) -> bool | None:
    values = [value for minute, value in datapoints if end - length < minute <= end]
    if not values:
        return None
    statistic = _STATISTICS[alarm["Statistic"]](values)  # type: ignore[operator]  # sum and min, of numbers
    return bool(_COMPARISONS[alarm["ComparisonOperator"]](statistic, alarm["Threshold"]))
