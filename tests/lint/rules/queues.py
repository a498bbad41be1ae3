"""Souk's house rules for functions that read a queue."""

import pathlib
import sys

# cfn-lint loads each file of this folder by itself.
sys.path.append(str(pathlib.Path(__file__).parent))

from house import HouseRule, attribute, inside  # noqa: E402

READ = ("sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage")


class Queues(HouseRule):
    id = "E9919"
    shortdesc = "A reader of a queue loses no message and gives none up unseen"
    description = "Partial failures, time for six attempts of the function, a dead-letter queue with an alarm, the rights"

    def check(self, template):
        for name, function in template.functions():
            allowed = template.allowed_to(name.removesuffix("Function") + "Role")
            for event in template.events(function, "SQS"):
                for what in self.missing(template, function, event.get("Properties", {})):
                    yield name, f"its queue event must have {what}", event
                for action in READ:
                    if (action, inside(event, "Properties", "Queue")) not in allowed:
                        yield name, f"its role must allow {action} on the queue of its event", event

    def missing(self, template, function, event):
        queue = inside(template.resources.get(attribute(event.get("Queue"), "Arn"), {}), "Properties") or {}
        dead = attribute(inside(queue, "RedrivePolicy", "deadLetterTargetArn"), "Arn")
        depth = ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName")
        timeout = template.function_property(function, "Timeout")
        must = {
            "ReportBatchItemFailures": event.get("FunctionResponseTypes") == ["ReportBatchItemFailures"],
            # AWS advises six times the timeout, so that no message is delivered while it is being processed.
            "a queue whose VisibilityTimeout is six times the function's Timeout": queue.get("VisibilityTimeout", 30)
            >= 6 * timeout,
            "a queue with a dead-letter queue": inside(template.resources.get(dead, {}), "Type") == "AWS::SQS::Queue",
            "an alarm with an action on the messages in its dead-letter queue": template.has_alarm(
                *depth, {"Fn::GetAtt": [dead, "QueueName"]}
            ),
        }
        return [what for what, present in must.items() if not present]
