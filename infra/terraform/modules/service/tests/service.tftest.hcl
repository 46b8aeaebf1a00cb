# What a deployment must have, whatever else changes.

mock_provider "aws" {
  source = "../../tests/mocks"
}

override_data {
  target = data.aws_subnet.this["subnet-0a"]
  values = { availability_zone = "eu-central-1a", vpc_id = "vpc-0a" }
}

override_data {
  target = data.aws_subnet.this["subnet-0b"]
  values = { availability_zone = "eu-central-1b", vpc_id = "vpc-0a" }
}

override_data {
  target = data.aws_subnet.this["subnet-0c"]
  values = { availability_zone = "eu-central-1a", vpc_id = "vpc-0a" }
}

variables {
  image      = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/bedrock-watch@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  file_image = "busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  vpc_id     = "vpc-0a"
  subnet_ids = ["subnet-0a", "subnet-0b"]
  ingest = {
    activity_stream  = { name = "bedrock-watch-activity", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/bedrock-watch-activity" }
    state_stream     = { name = "bedrock-watch-state", arn = "arn:aws:kinesis:eu-central-1:123456789012:stream/bedrock-watch-state" }
    key_arn          = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
    bus_arn          = "arn:aws:events:eu-central-1:123456789012:event-bus/default"
    canary_rule      = "bedrock-watch-canary"
    undelivered_name = "bedrock-watch-undelivered"
  }
}

run "good" {
  assert {
    condition     = aws_ecs_service.this.desired_count == 2
    error_message = "There are not two workers."
  }

  assert {
    condition     = aws_ecs_service.this.deployment_circuit_breaker[0].enable && aws_ecs_service.this.deployment_circuit_breaker[0].rollback
    error_message = "A deployment that does not start is not rolled back."
  }

  assert {
    condition = alltrue([
      for container in jsondecode(aws_ecs_task_definition.this.container_definitions) : container.readonlyRootFilesystem
    ])
    error_message = "A container may write to its root."
  }

  assert {
    condition     = [for container in jsondecode(aws_ecs_task_definition.this.container_definitions) : container.stopTimeout if container.name == "bedrock-watch"] == [30]
    error_message = "The service has not 30 s to end in: it would be killed while it drains."
  }

  assert {
    condition = [
      for container in jsondecode(aws_ecs_task_definition.this.container_definitions) : slice(container.healthCheck.command, 0, 3) if container.name == "bedrock-watch"
    ] == [["CMD", "/bedrock-watch", "health"]]
    error_message = "The health check is not the program's own; the image has no shell."
  }

  assert {
    condition     = strcontains(output.config, "grace_s = 25")
    error_message = "The service's grace does not end before ECS kills it."
  }

  assert {
    condition     = alltrue([for statement in jsondecode(aws_iam_role_policy.task.policy).Statement : statement.Effect == "Allow" && !contains(keys(statement), "NotAction")])
    error_message = "The task role has a statement that allows by leaving out."
  }

  assert {
    condition = !anytrue(flatten([
      for policy in [aws_iam_role_policy.task.policy, aws_iam_role_policy.execution.policy] : [
        for statement in jsondecode(policy).Statement : [for action in statement.Action : strcontains(action, "*")]
      ]
    ]))
    error_message = "A role has a wildcard action."
  }

  # Asking what there is has no resource; everything else names one.
  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.task.policy).Statement : statement.Sid if contains(flatten([statement.Resource]), "*")
    ] == ["Inventory", "Way"]
    error_message = "The task role may do something to every resource that it need not."
  }

  assert {
    condition = [for statement in jsondecode(aws_iam_role_policy.task.policy).Statement : statement.Sid] == [
      "ReadStreams", "StreamKey", "Store", "Leases", "ListSnapshots", "Snapshots", "Evidence", "Inventory", "Way", "Canary",
    ]
    error_message = "The task role has not exactly the statements that this configuration needs."
  }

  assert {
    condition = toset(flatten([
      for statement in jsondecode(aws_iam_role_policy.task.policy).Statement : statement.Resource if statement.Sid == "ReadStreams"
      ])) == toset([
      "arn:aws:kinesis:eu-central-1:123456789012:stream/bedrock-watch-activity",
      "arn:aws:kinesis:eu-central-1:123456789012:stream/bedrock-watch-state",
    ])
    error_message = "The task role may not read both streams, or others."
  }

  assert {
    condition = !anytrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.task.policy).Statement : [for action in statement.Action : contains(["dynamodb:CreateTable", "dynamodb:UpdateTimeToLive"], action)]
    ]))
    error_message = "The task role may make tables, which Terraform makes."
  }

  # The other image is in no registry of AWS.
  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Resource if statement.Sid == "Image"
    ] == [["arn:aws:ecr:eu-central-1:123456789012:repository/bedrock-watch"]]
    error_message = "ECS may fetch other images than those of its tasks."
  }

  assert {
    condition     = aws_s3_bucket.this["evidence"].object_lock_enabled && aws_s3_bucket_object_lock_configuration.evidence.rule[0].default_retention[0].days == 400
    error_message = "Evidence can be deleted within 400 days."
  }

  assert {
    condition     = strcontains(output.config, "[evidence]\nbucket = \"${aws_s3_bucket.this["evidence"].bucket}\"")
    error_message = "Evidence is not archived to its bucket."
  }

  assert {
    condition     = alltrue([for versioning in aws_s3_bucket_versioning.this : versioning.versioning_configuration[0].status == "Enabled"])
    error_message = "A bucket keeps no versions."
  }

  assert {
    condition     = alltrue([for block in aws_s3_bucket_public_access_block.this : block.block_public_policy && block.restrict_public_buckets])
    error_message = "A bucket may become public."
  }

  assert {
    condition     = aws_dynamodb_table.store.ttl[0].enabled && aws_dynamodb_table.store.ttl[0].attribute_name == "expires_at"
    error_message = "The store never forgets."
  }

  assert {
    condition     = aws_dynamodb_table.store.point_in_time_recovery[0].enabled && aws_dynamodb_table.leases.point_in_time_recovery[0].enabled
    error_message = "A table cannot be restored."
  }

  assert {
    condition     = aws_dynamodb_table.store.deletion_protection_enabled
    error_message = "The store can be deleted by mistake."
  }

  assert {
    condition     = aws_appautoscaling_target.this.min_capacity == 2
    error_message = "Scaling may end the second worker."
  }

  # An alarm about silence must not itself be silent.
  assert {
    condition = alltrue([
      for name in ["lag-activity", "lag-state", "blind", "running"] : aws_cloudwatch_metric_alarm.this[name].treat_missing_data == "breaching"
    ])
    error_message = "An alarm takes missing data for a good sign."
  }

  assert {
    condition = alltrue([
      for widget in jsondecode(aws_cloudwatch_dashboard.this.dashboard_body).widgets : widget.x + widget.width <= 24
    ])
    error_message = "The dashboard is wider than CloudWatch takes."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.clients) == 0 && strcontains(output.config, "listen = \"127.0.0.1:8787\"")
    error_message = "Somebody can connect to the workers though nobody was named."
  }

  assert {
    condition     = aws_vpc_security_group_egress_rule.https.from_port == 443
    error_message = "Tasks may connect to more than HTTPS."
  }

  assert {
    condition     = strcontains(jsonencode(jsondecode(aws_iam_role.task.assume_role_policy)), "ecs-tasks.amazonaws.com")
    error_message = "Somebody else than ECS may take the task role."
  }
}

run "of_an_organization" {
  variables {
    member_role_arn       = "arn:aws:iam::*:role/bedrock-watch-member"
    organization_coverage = true
    secrets               = { PAGERDUTY_ROUTING_KEY = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pager-AbCdEf:key::" }
    named_secret_arns     = ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:hook-AbCdEf"]
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.task.policy).Statement : statement.Resource if contains(["OtherAccounts", "Secrets"], statement.Sid)
    ] == [["arn:aws:iam::*:role/bedrock-watch-member"], ["arn:aws:secretsmanager:eu-central-1:123456789012:secret:hook-AbCdEf"]]
    error_message = "The task role may assume other roles or read other secrets than those that were named."
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Resource if statement.Sid == "Secrets"
    ] == [["arn:aws:secretsmanager:eu-central-1:123456789012:secret:pager-AbCdEf"]]
    error_message = "ECS may read other secrets than those of the environment."
  }
}

run "of_another_partition" {
  override_data {
    target = data.aws_partition.current
    values = { partition = "aws-us-gov" }
  }

  variables {
    image             = "210987654321.dkr.ecr-fips.us-gov-west-1.amazonaws.com/security/bedrock-watch:1@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    file_image        = "123456789012.dkr.ecr.us-gov-east-1.amazonaws.com/busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    sink_security_hub = true
  }

  assert {
    condition = [
      for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Resource if statement.Sid == "Image"
      ] == [[
        "arn:aws-us-gov:ecr:us-gov-west-1:210987654321:repository/security/bedrock-watch",
        "arn:aws-us-gov:ecr:us-gov-east-1:123456789012:repository/busybox",
    ]]
    error_message = "ECS may not fetch the images of its tasks, or others."
  }

  assert {
    condition = alltrue(flatten([
      for statement in jsondecode(aws_iam_role_policy.task.policy).Statement : [for arn in statement.Resource : startswith(arn, "arn:aws-us-gov:")]
      if statement.Sid == "SinkSecurityHub"
    ])) && contains([for statement in jsondecode(aws_iam_role_policy.task.policy).Statement : statement.Sid], "SinkSecurityHub")
    error_message = "Findings go to Security Hub of another partition."
  }
}

run "images_elsewhere" {
  variables {
    image = "registry.example.com/bedrock-watch@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.execution.policy).Statement : statement.Sid] == ["Log"]
    error_message = "ECS has rights in ECR that it needs for nothing."
  }
}

run "with_prometheus" {
  variables {
    clients = ["sg-0a"]
  }

  assert {
    condition     = strcontains(output.config, "listen = \"0.0.0.0:8787\"") && aws_vpc_security_group_ingress_rule.clients["sg-0a"].from_port == 8787
    error_message = "The client cannot reach the workers."
  }
}

run "one_zone" {
  command = plan

  variables {
    subnet_ids = ["subnet-0a", "subnet-0c"]
  }

  expect_failures = [aws_ecs_service.this]
}

run "one_task" {
  command = plan

  variables {
    tasks = 1
  }

  expect_failures = [var.tasks]
}

run "an_image_by_tag" {
  command = plan

  variables {
    image = "bedrock-watch:latest"
  }

  expect_failures = [var.image]
}

run "a_secret_in_the_configuration" {
  command = plan

  variables {
    config = "[[sink]]\nkind = \"slack\"\nwebhook_url = \"https://hooks.slack.com/services/T000/B000/XXXX\"\n"
  }

  expect_failures = [var.config]
}

run "evidence_for_a_month" {
  command = plan

  variables {
    evidence_days = 30
  }

  expect_failures = [var.evidence_days]
}
