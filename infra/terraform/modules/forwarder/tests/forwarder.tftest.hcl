mock_provider "aws" {
  source = "../../tests/mocks"
}

variables {
  bus_arn = "arn:aws:events:eu-central-1:999988887777:event-bus/default"
}

run "everything" {
  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : target.arn == var.bus_arn && length(target.dead_letter_config) == 1])
    error_message = "A target is not the security account's bus, or has no dead-letter queue."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.this["bedrock-activity"].state == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    error_message = "The rule does not see management events that read: InvokeModel would never arrive."
  }

  assert {
    condition     = !contains(keys(aws_cloudwatch_event_rule.this), "canary")
    error_message = "The canary belongs to the service's own account."
  }

  assert {
    condition     = jsondecode(aws_iam_role_policy.forward.policy).Statement[0].Action == ["events:PutEvents"] && jsondecode(aws_iam_role_policy.forward.policy).Statement[0].Resource == var.bus_arn
    error_message = "The role may do more than put events on that bus."
  }
}

run "nobody_to_tell" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.undelivered) == 0
    error_message = "There is an alarm that tells nobody."
  }
}

run "with_an_alarm" {
  command = plan

  variables {
    alarm_topic_arns = ["arn:aws:sns:eu-central-1:999988887777:alarms"]
  }

  assert {
    condition = (
      aws_cloudwatch_metric_alarm.undelivered[0].dimensions.QueueName == aws_sqs_queue.undelivered.name &&
      aws_cloudwatch_metric_alarm.undelivered[0].threshold == 0 &&
      toset(aws_cloudwatch_metric_alarm.undelivered[0].alarm_actions) == toset(var.alarm_topic_arns)
    )
    error_message = "Nobody is told of events that could not be forwarded."
  }
}

run "a_topic_of_another_region" {
  command = plan

  variables {
    alarm_topic_arns = ["arn:aws:sns:us-east-1:999988887777:alarms"]
  }

  expect_failures = [aws_cloudwatch_metric_alarm.undelivered]
}

run "to_itself" {
  command = plan

  variables {
    bus_arn = "arn:aws:events:eu-central-1:123456789012:event-bus/default"
  }

  expect_failures = [aws_cloudwatch_event_rule.this]
}
