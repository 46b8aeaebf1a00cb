output "bus_arn" {
  description = "The default bus, to which other regions and accounts forward (`bus_arn` of the module forwarder)."
  value       = local.bus_arn
}

output "rule_names" {
  description = "The rules by what they forward."
  value       = { for key, rule in aws_cloudwatch_event_rule.this : key => rule.name }
}

output "for_service" {
  description = "What the module `service` must know (`ingest` there)."
  value = {
    activity_stream  = { name = aws_kinesis_stream.this["activity"].name, arn = aws_kinesis_stream.this["activity"].arn }
    state_stream     = { name = aws_kinesis_stream.this["state"].name, arn = aws_kinesis_stream.this["state"].arn }
    key_arn          = aws_kms_key.stream.arn
    bus_arn          = local.bus_arn
    canary_rule      = aws_cloudwatch_event_rule.this["canary"].name
    undelivered_name = aws_sqs_queue.undelivered.name
  }
}
