# What AWS itself measures of the way of events, beside the service's own metrics (infra/dashboards, for Prometheus).

locals {
  streams = { activity = var.ingest.activity_stream.name, state = var.ingest.state_stream.name }
  of_streams = {
    for metric in ["IncomingRecords", "GetRecords.IteratorAgeMilliseconds", "WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded"] :
    metric => [for key, stream in local.streams : ["AWS/Kinesis", metric, "StreamName", stream, { label = key }]]
  }
  of_service = ["ClusterName", aws_ecs_cluster.this.name, "ServiceName", aws_ecs_service.this.name]

  # Two columns, from top to bottom: title, statistic, metrics, and a line that should not be crossed.
  widgets = [
    {
      title     = "Age of the oldest unread record, ms"
      statistic = "Maximum"
      metrics   = local.of_streams["GetRecords.IteratorAgeMilliseconds"]
      limit     = var.lag_alarm_s * 1000
    },
    {
      title     = "Canaries on the bus"
      statistic = "Sum"
      metrics   = [["AWS/Events", "Invocations", "RuleName", var.ingest.canary_rule]]
      limit     = null
    },
    {
      title     = "Records, each minute"
      statistic = "Sum"
      metrics   = local.of_streams["IncomingRecords"]
      limit     = null
    },
    {
      title     = "Writes and reads that Kinesis refused"
      statistic = "Sum"
      metrics = concat(
        local.of_streams["WriteProvisionedThroughputExceeded"], local.of_streams["ReadProvisionedThroughputExceeded"]
      )
      limit = null
    },
    {
      title     = "Workers"
      statistic = "Minimum"
      metrics = [
        concat(["ECS/ContainerInsights", "RunningTaskCount"], local.of_service),
        concat(["ECS/ContainerInsights", "DesiredTaskCount"], local.of_service),
      ]
      limit = var.tasks
    },
    {
      title     = "CPU and memory, percent"
      statistic = "Maximum"
      metrics = [
        concat(["AWS/ECS", "CPUUtilization"], local.of_service),
        concat(["AWS/ECS", "MemoryUtilization"], local.of_service),
      ]
      limit = 100
    },
    {
      title     = "Undeliverable events"
      statistic = "Maximum"
      metrics   = [["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", var.ingest.undelivered_name]]
      limit     = null
    },
    {
      title     = "Errors in the log, and alerts that were given up"
      statistic = "Sum"
      metrics   = [[local.metric_namespace, "Errors"], [local.metric_namespace, "GivenUp"], [local.metric_namespace, "Blind"]]
      limit     = null
    },
    {
      title     = "The store: requests that DynamoDB refused, and its own failures"
      statistic = "Sum"
      metrics = [
        ["AWS/DynamoDB", "ThrottledRequests", "TableName", aws_dynamodb_table.store.name, "Operation", "TransactWriteItems"],
        ["AWS/DynamoDB", "SystemErrors", "TableName", aws_dynamodb_table.store.name, "Operation", "TransactWriteItems"],
      ]
      limit = null
    },
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = "${var.name}-${local.region}"

  dashboard_body = jsonencode({
    widgets = concat(
      [{
        type       = "alarm"
        x          = 0
        y          = 0
        width      = 24
        height     = 3
        properties = { title = "Alarms", alarms = [for name in sort(keys(aws_cloudwatch_metric_alarm.this)) : aws_cloudwatch_metric_alarm.this[name].arn] }
      }],
      [for place, widget in local.widgets : {
        type   = "metric"
        x      = place % 2 * 12
        y      = 3 + floor(place / 2) * 6
        width  = 12
        height = 6
        properties = {
          title       = widget.title
          region      = local.region
          stat        = widget.statistic
          period      = 60
          metrics     = widget.metrics
          view        = "timeSeries"
          yAxis       = { left = { min = 0 } }
          annotations = { horizontal = widget.limit == null ? [] : [{ value = widget.limit }] }
        }
      }],
      [{
        type   = "log"
        x      = 0
        y      = 3 + ceil(length(local.widgets) / 2) * 6
        width  = 24
        height = 6
        properties = {
          title  = "Warnings and errors of the service"
          region = local.region
          view   = "table"
          query  = "SOURCE '${aws_cloudwatch_log_group.this.name}' | fields @timestamp, level, fields.message, @logStream | filter level in ['WARN', 'ERROR'] | sort @timestamp desc | limit 50"
        }
      }]
    )
  })
}
