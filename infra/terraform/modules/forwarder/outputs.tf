output "rule_names" {
  description = "The rules by what they forward."
  value       = { for key, rule in aws_cloudwatch_event_rule.this : key => rule.name }
}

output "alarm_names" {
  description = "The alarms about what could not be forwarded: one, or none."
  value       = aws_cloudwatch_metric_alarm.undelivered[*].alarm_name
}

output "undelivered_queue" {
  description = "The name of the queue that holds what could not be forwarded for a day."
  value       = aws_sqs_queue.undelivered.name
}
