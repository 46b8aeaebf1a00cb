# Sends one account's events of one region straight to the bus of the security account. Once for each region, and each
# account that is watched; infra/cloudformation/forwarder.yaml is the same as a stack set.

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
  rule_arns = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-*"
  rules = {
    for name, rule in module.patterns.rules : name => rule
    if var.only == null ? true : contains(var.only, name)
  }
}

resource "aws_cloudwatch_event_rule" "this" {
  for_each = local.rules

  name          = "${var.name}-${each.key}"
  description   = "Forwards to bedrock-watch in another account or region"
  event_pattern = each.value.pattern
  state         = each.value.state

  lifecycle {
    precondition {
      condition     = var.bus_arn != "arn:${local.partition}:events:${local.region}:${local.account}:event-bus/default"
      error_message = "A bus cannot forward to itself: in the service's own account and region the module ingest does it."
    }
  }
}

resource "aws_cloudwatch_event_target" "this" {
  for_each = local.rules

  rule      = aws_cloudwatch_event_rule.this[each.key].name
  target_id = "bus"
  arn       = var.bus_arn
  role_arn  = aws_iam_role.forward.arn

  dead_letter_config {
    arn = aws_sqs_queue.undelivered.arn
  }

  retry_policy {
    maximum_event_age_in_seconds = 86400
    maximum_retry_attempts       = 185
  }

  depends_on = [aws_iam_role_policy.forward, aws_sqs_queue_policy.undelivered]
}

resource "aws_iam_role" "forward" {
  name        = "${var.name}-${local.region}"
  description = "EventBridge forwards events to bedrock-watch"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = local.rule_arns }
      }
    }]
  })
}

resource "aws_iam_role_policy" "forward" {
  name = "forward"
  role = aws_iam_role.forward.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "Forward"
      Effect   = "Allow"
      Action   = ["events:PutEvents"]
      Resource = var.bus_arn
    }]
  })
}

resource "aws_sqs_queue" "undelivered" {
  name                      = "${var.name}-undelivered"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_policy" "undelivered" {
  queue_url = aws_sqs_queue.undelivered.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Undelivered"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.undelivered.arn
      Condition = { ArnLike = { "aws:SourceArn" = local.rule_arns } }
    }]
  })
}

# What waits here is lost to the service after 14 days, and the service itself cannot know of it.
resource "aws_cloudwatch_metric_alarm" "undelivered" {
  count = length(var.alarm_topic_arns) == 0 ? 0 : 1

  alarm_name          = aws_sqs_queue.undelivered.name
  alarm_description   = "EventBridge could not forward events to bedrock-watch for a day; they wait in the queue of this name. Mend the target, then send them again."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.undelivered.name }
  statistic           = "Maximum"
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  evaluation_periods  = 1
  datapoints_to_alarm = 1
  period              = 300
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns

  lifecycle {
    precondition {
      condition     = alltrue([for arn in var.alarm_topic_arns : split(":", arn)[3] == local.region])
      error_message = "alarm_topic_arns must be topics of the forwarder's own region: an alarm cannot reach others."
    }
  }
}
