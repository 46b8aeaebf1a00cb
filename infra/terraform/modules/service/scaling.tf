# More workers when the service lags: by the age of the oldest unread record, which Kinesis itself measures. CPU would be
# the wrong number: a worker that waits for DynamoDB lags without using any.

resource "aws_appautoscaling_target" "this" {
  service_namespace  = "ecs"
  resource_id        = "service/${aws_ecs_cluster.this.name}/${aws_ecs_service.this.name}"
  scalable_dimension = "ecs:service:DesiredCount"
  min_capacity       = var.tasks
  max_capacity       = var.tasks_max
}

resource "aws_appautoscaling_policy" "lag" {
  name               = "${var.name}-lag"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = aws_appautoscaling_target.this.service_namespace
  resource_id        = aws_appautoscaling_target.this.resource_id
  scalable_dimension = aws_appautoscaling_target.this.scalable_dimension

  target_tracking_scaling_policy_configuration {
    target_value       = 30000
    scale_out_cooldown = 120
    # A shard that moves is read again from its last position: not too often.
    scale_in_cooldown = 1800

    customized_metric_specification {
      namespace   = "AWS/Kinesis"
      metric_name = "GetRecords.IteratorAgeMilliseconds"
      statistic   = "Maximum"
      unit        = "Milliseconds"

      dimensions {
        name  = "StreamName"
        value = var.ingest.activity_stream.name
      }
    }
  }
}
