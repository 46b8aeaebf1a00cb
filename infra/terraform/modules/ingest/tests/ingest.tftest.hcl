# What a set-up must have, whatever else changes: each of these has cost somebody their alerts.

mock_provider "aws" {
  source = "../../tests/mocks"
}

override_resource {
  target = aws_kinesis_stream.this["activity"]
  values = { arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/bedrock-watch-activity" }
}

override_resource {
  target = aws_kinesis_stream.this["state"]
  values = { arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/bedrock-watch-state" }
}

mock_provider "aws" {
  alias  = "global"
  source = "../../tests/mocks"

  override_data {
    target = module.global[0].data.aws_region.current
    values = { name = "us-east-1" }
  }
}

variables {
  trail_arn = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/all"
}

run "good" {
  providers = {
    aws        = aws
    aws.global = aws.global
  }

  assert {
    condition = alltrue([
      for name in ["bedrock-activity", "bedrock-state"] :
      aws_cloudwatch_event_rule.this[name].state == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    ])
    error_message = "Bedrock's rules do not see management events that read: InvokeModel would never arrive."
  }

  assert {
    condition = alltrue([
      for name, rule in aws_cloudwatch_event_rule.this : rule.state == "ENABLED"
      if !startswith(name, "bedrock-") && !endswith(name, "-reads") && name != "phantom-users"
    ])
    error_message = "A family of events that write is in the state for events that read: it costs and brings nothing."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : target.kinesis_target[0].partition_key_path == "$.account"])
    error_message = "A target is not keyed by the account: a principal's calls would be scattered over all shards."
  }

  assert {
    condition     = alltrue([for target in aws_cloudwatch_event_target.this : length(target.dead_letter_config) == 1])
    error_message = "A target has no dead-letter queue."
  }

  assert {
    condition = alltrue([
      for target in aws_cloudwatch_event_target.this :
      target.input == null && target.input_path == null && length(target.input_transformer) == 0
    ])
    error_message = "A target changes events on their way."
  }

  assert {
    condition = alltrue([
      for name in ["ec2", "iam", "kms", "s3", "logs", "cloudtrail", "events", "kinesis", "sqs"] :
      contains(keys(aws_cloudwatch_event_rule.this), name)
    ])
    error_message = "A family of events is missing."
  }

  assert {
    condition     = contains(jsondecode(aws_cloudwatch_event_rule.this["ec2"].event_pattern).detail.eventName, "DeleteSecurityGroup")
    error_message = "DeleteSecurityGroup is not forwarded."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.this["phantom-users"].state == "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
    error_message = "What the users behind Bedrock API keys read elsewhere is not seen."
  }

  # Whoever may call PutEvents could make up events of any other source.
  assert {
    condition = alltrue([
      for name, rule in aws_cloudwatch_event_rule.this :
      alltrue([for source in jsondecode(rule.event_pattern).source : startswith(source.prefix, "aws.")]) if name != "canary"
    ])
    error_message = "A pattern takes events whose source is not AWS."
  }

  # The two rules of Bedrock divide its calls: none is forwarded twice, none is left out.
  assert {
    condition = (
      jsondecode(aws_cloudwatch_event_rule.this["bedrock-activity"].event_pattern).detail.eventName ==
      jsondecode(aws_cloudwatch_event_rule.this["bedrock-state"].event_pattern).detail.eventName[0]["anything-but"]
    )
    error_message = "What one rule of Bedrock takes is not what the other leaves."
  }

  assert {
    condition     = aws_cloudwatch_event_target.this["bedrock-activity"].arn == aws_kinesis_stream.this["activity"].arn
    error_message = "Inference calls do not go to the activity stream."
  }

  assert {
    condition = alltrue([
      for name, target in aws_cloudwatch_event_target.this :
      target.arn == aws_kinesis_stream.this["state"].arn if name != "bedrock-activity"
    ])
    error_message = "Something every worker must see does not go to the state stream."
  }

  assert {
    condition     = alltrue([for stream in aws_kinesis_stream.this : stream.encryption_type == "KMS" && stream.retention_period >= 24])
    error_message = "A stream is not encrypted, or keeps records for less than a day."
  }

  assert {
    condition = !anytrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.deliver.policy).Statement : [for action in statement.Action : endswith(action, "*")]
    ]))
    error_message = "The role of the targets has a wildcard action."
  }

  assert {
    condition     = length(jsondecode(aws_iam_role_policy.deliver.policy).Statement[0].Resource) == 2
    error_message = "The role of the targets may not write to both streams, or to others."
  }

  assert {
    condition     = alltrue([for rule in aws_cloudwatch_event_rule.this : length(rule.event_pattern) <= 2048])
    error_message = "A pattern is longer than EventBridge takes."
  }

  assert {
    condition     = contains(keys(module.global[0].rule_names), "iam") && !contains(keys(module.global[0].rule_names), "ec2")
    error_message = "IAM's events are not forwarded from us-east-1, or those of a service of one region are too."
  }

  assert {
    condition     = length(aws_cloudwatch_event_permission.organization) == 0
    error_message = "Another account may put events on the bus though none was named."
  }
}

run "somebody_is_told_of_us_east_1" {
  providers = {
    aws        = aws
    aws.global = aws.global
  }

  variables {
    global_alarm_topic_arns = ["arn:aws:sns:us-east-1:123456789012:alarms"]
  }

  assert {
    condition     = module.global[0].alarm_names == ["bedrock-watch-global-undelivered"]
    error_message = "Nobody is told of events that could not be forwarded from us-east-1."
  }
}

run "in_us_east_1_nothing_is_forwarded_to_itself" {
  providers = {
    aws        = aws
    aws.global = aws.global
  }

  override_data {
    target = data.aws_region.current
    values = { name = "us-east-1" }
  }

  assert {
    condition     = length(module.global) == 0
    error_message = "us-east-1 forwards to itself."
  }
}

run "of_an_organization" {
  providers = {
    aws        = aws
    aws.global = aws.global
  }

  variables {
    organization_id = "o-ab12cd34ef"
  }

  assert {
    condition     = aws_cloudwatch_event_permission.organization[0].condition[0].value == "o-ab12cd34ef"
    error_message = "The bus is open to more than the organization."
  }
}

run "on_demand" {
  providers = {
    aws        = aws
    aws.global = aws.global
  }

  variables {
    activity_shards = null
  }

  assert {
    condition     = aws_kinesis_stream.this["activity"].stream_mode_details[0].stream_mode == "ON_DEMAND"
    error_message = "Without a number of shards the stream is not on demand."
  }
}

run "a_name_that_detector_blind_path_does_not_know" {
  command = plan

  providers = {
    aws        = aws
    aws.global = aws.global
  }

  variables {
    name = "watcher"
  }

  expect_failures = [var.name]
}

run "retention_too_short" {
  command = plan

  providers = {
    aws        = aws
    aws.global = aws.global
  }

  variables {
    retention_hours = 12
  }

  expect_failures = [var.retention_hours]
}

run "a_trail_of_another_partition" {
  command = plan

  providers = {
    aws        = aws
    aws.global = aws.global
  }

  variables {
    trail_arn = "arn:aws-cn:cloudtrail:cn-north-1:123456789012:trail/all"
  }

  expect_failures = [aws_cloudwatch_event_rule.this]
}
