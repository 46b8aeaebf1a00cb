# How events reach the service: rules of the default bus, two streams, a queue for what cannot be delivered.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

module "patterns" {
  source = "../patterns"
}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  bus_arn   = "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/default"

  rules = merge(module.patterns.rules, {
    # The service's own sign of life. What has the name of a call is none: this source is anybody's, unlike those of AWS.
    canary = {
      pattern = jsonencode({
        source      = ["bedrock-watch.canary"]
        detail-type = ["Bedrock Watch Canary"]
        detail      = { eventName = [{ exists = false }], id = [{ exists = true }] }
      })
      state   = "ENABLED"
      carries = "state"
      global  = false
    }
  })
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name          = "${var.name}-${each.key}"
  description   = "Feeds bedrock-watch (${each.value.carries})"
  event_pattern = each.value.pattern
  state         = each.value.state

  lifecycle {
    precondition {
      condition     = split(":", var.trail_arn)[1] == local.partition
      error_message = "The trail is in another partition than the rules, so none of its events arrives here."
    }
    precondition {
      condition     = length(each.value.pattern) <= 2048
      error_message = "EventBridge takes patterns of at most 2,048 characters: split the family in infra/events.py."
    }
  }
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "stream"
  arn       = aws_kinesis_stream.this[each.value.carries].arn
  role_arn  = aws_iam_role.deliver.arn

  # All of an account's events go to one shard. The default, the event's id, would scatter a principal's calls.
  kinesis_target {
    partition_key_path = "$.account"
  }

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  # Without its rights a target's first events would already be lost to the dead-letter queue.
  depends_on = [aws_iam_role_policy.deliver, aws_sqs_queue_policy.undelivered]
}
