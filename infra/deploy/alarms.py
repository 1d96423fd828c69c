"""Whether anybody hears the alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.cli.console import say

if TYPE_CHECKING:
    from infra.cli.aws import Aws


def print_unconfirmed(aws: Aws, topic_arn: str, email: str) -> None:
    """Print what is missing before alarms are mailed, if anything is.

    :param aws: the runner.
    :param topic_arn: the alarms' topic.
    :param email: where alarms are to be sent (ALARM_EMAIL).
    """
    found = aws.call("sns", "list-subscriptions-by-topic", "--topic-arn", topic_arn)["Subscriptions"]
    mine = [each for each in found if each["Endpoint"] == email]
    # SNS API, ListSubscriptionsByTopic: an unconfirmed subscription has this in place of its ARN.
    if any(each["SubscriptionArn"] == "PendingConfirmation" for each in mine):
        say(
            f"Alarms are not sent yet: {email} has to confirm the subscription by the link in the mail from AWS "
            "Notifications, within 48 hours."
        )
    elif not mine:  # SNS deletes an unconfirmed subscription after 48 hours, and CloudFormation does not notice
        say(
            f"Alarms are not sent: nobody confirmed the subscription of {email}, and SNS has deleted it. Make it anew: "
            f"aws sns subscribe --topic-arn {topic_arn} --protocol email --notification-endpoint {email}"
        )
