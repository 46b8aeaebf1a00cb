# Who watches the watcher: alarms that do not need the service to be well.

locals {
  alarms = merge(
    {
      for key, stream in { activity = var.ingest.activity_stream.name, state = var.ingest.state_stream.name } :
      "lag-${key}" => {
        text       = "The oldest unread record of ${stream} is older than ${var.lag_alarm_s} s, or nobody reads it. Look at the service's log, then add tasks or shards."
        namespace  = "AWS/Kinesis"
        metric     = "GetRecords.IteratorAgeMilliseconds"
        dimensions = { StreamName = stream }
        statistic  = "Maximum"
        comparison = "GreaterThanThreshold"
        threshold  = var.lag_alarm_s * 1000
        periods    = 3
        period     = 60
        # Kinesis knows an age only while somebody reads.
        missing = "breaching"
      }
    },
    {
      for key, stream in { activity = var.ingest.activity_stream.name, state = var.ingest.state_stream.name } :
      "full-${key}" => {
        text       = "A shard of ${stream} refused records: EventBridge tries again for a day. Raise activity_shards."
        namespace  = "AWS/Kinesis"
        metric     = "WriteProvisionedThroughputExceeded"
        dimensions = { StreamName = stream }
        statistic  = "Sum"
        comparison = "GreaterThanThreshold"
        threshold  = 0
        periods    = 2
        period     = 300
        missing    = "notBreaching"
      }
    },
    {
      # No worker sends canaries, or the bus does not deliver them: either way nobody is protected. Independent of the
      # alert detector-blind, which needs a service that is well enough to tell of it.
      blind = {
        text       = "No canary passed the bus for 15 minutes: the service is down, or its rules are switched off. Run `bedrock-watch doctor`."
        namespace  = "AWS/Events"
        metric     = "Invocations"
        dimensions = { RuleName = var.ingest.canary_rule }
        statistic  = "Sum"
        comparison = "LessThanThreshold"
        threshold  = 1
        periods    = 3
        period     = 300
        missing    = "breaching"
      }
      blind-reported = {
        text       = "The service says that its canaries do not come back."
        namespace  = local.metric_namespace
        metric     = "Blind"
        dimensions = {}
        statistic  = "Sum"
        comparison = "GreaterThanThreshold"
        threshold  = 0
        periods    = 1
        period     = 300
        missing    = "notBreaching"
      }
      given-up = {
        text       = "An alert could not be told for give_up_s (a day) and was given up: nobody knows of it. Mend the sink, then run `bedrock-watch alerts redrive`."
        namespace  = local.metric_namespace
        metric     = "GivenUp"
        dimensions = {}
        statistic  = "Sum"
        comparison = "GreaterThanThreshold"
        threshold  = 0
        periods    = 1
        period     = 300
        missing    = "notBreaching"
      }
      undelivered = {
        text       = "EventBridge could not deliver events for a day; they wait in ${var.ingest.undelivered_name}. Mend the target, then replay them."
        namespace  = "AWS/SQS"
        metric     = "ApproximateNumberOfMessagesVisible"
        dimensions = { QueueName = var.ingest.undelivered_name }
        statistic  = "Maximum"
        comparison = "GreaterThanThreshold"
        threshold  = 0
        periods    = 1
        period     = 300
        missing    = "notBreaching"
      }
      running = {
        text       = "Fewer than ${var.tasks} workers run. Look at the events of the ECS service."
        namespace  = "ECS/ContainerInsights"
        metric     = "RunningTaskCount"
        dimensions = { ClusterName = aws_ecs_cluster.this.name, ServiceName = aws_ecs_service.this.name }
        statistic  = "Minimum"
        comparison = "LessThanThreshold"
        threshold  = var.tasks
        periods    = 5
        period     = 60
        missing    = "breaching"
      }
    }
  )
  metric_namespace = "BedrockWatch/${var.name}"
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.text
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.periods
  period              = each.value.period
  treat_missing_data  = each.value.missing
  alarm_actions       = var.alarm_topic_arns
  ok_actions          = var.alarm_topic_arns
}

locals {
  # Lines of the log that are counted: of detector/aws/src/canary, of detector/service/src/sink, and every error.
  counted_lines = {
    Blind   = "\"blind: \""
    GivenUp = "\"an alert could not be told and was given up\""
    Errors  = "{ $.level = \"ERROR\" }"
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.counted_lines

  name           = "${var.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.this.name
  pattern        = each.value

  metric_transformation {
    namespace = local.metric_namespace
    name      = each.key
    value     = "1"
  }
}
