"""Whether the alarms reach the address in ALARM_EMAIL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.cli.console import say

if TYPE_CHECKING:
    from infra.cli.aws import Aws


def print_unconfirmed(aws: Aws, topic_arn: str, email: str) -> None:
    """Print what is missing until the alarms are mailed, if anything.

    :param aws: the runner.
    :param topic_arn: the alarms' topic.
    :param email: the address that alarms are sent to (ALARM_EMAIL).
    """
    found = aws.call("sns", "list-subscriptions-by-topic", "--topic-arn", topic_arn)["Subscriptions"]
    mine = [each for each in found if each["Endpoint"] == email]
    # SNS API, ListSubscriptionsByTopic: an unconfirmed subscription has this in place of its ARN.
    if any(each["SubscriptionArn"] == "PendingConfirmation" for each in mine):
        say(
            f"Alarms are not sent yet: {email} must confirm the subscription with the link in the mail from AWS "
            "Notifications, within 48 hours."
        )
    elif not mine:  # SNS deletes an unconfirmed subscription after 48 hours, unnoticed by CloudFormation
        say(
            f"Alarms are not sent: the subscription of {email} was not confirmed, and SNS deleted it. Create it again: "
            f"aws sns subscribe --topic-arn {topic_arn} --protocol email --notification-endpoint {email}"
        )
