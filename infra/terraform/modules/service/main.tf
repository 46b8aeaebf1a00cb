# The service: two workers over two availability zones that share the activity stream's shards. Nothing can connect to
# them unless `clients` says so; what they tell goes out.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

data "aws_subnet" "this" {
  for_each = toset(var.subnet_ids)
  id       = each.value
}

locals {
  account   = data.aws_caller_identity.current.account_id
  partition = data.aws_partition.current.partition
  region    = data.aws_region.current.name
  # Where the configuration's file stands in the containers.
  folder = "/etc/bedrock-watch"
  file   = "${local.folder}/bedrock-watch.toml"

  config = join("\n", [templatefile("${path.module}/bedrock-watch.toml.tftpl", {
    region          = local.region
    regions         = jsonencode(var.regions)
    state_stream    = var.ingest.state_stream.name
    activity_stream = var.ingest.activity_stream.name
    table           = aws_dynamodb_table.store.name
    lease_table     = aws_dynamodb_table.leases.name
    snapshot_bucket = aws_s3_bucket.this["memory"].id
    evidence_bucket = aws_s3_bucket.this["evidence"].bucket
    coverage        = var.organization_coverage
    listen          = length(var.clients) == 0 ? "127.0.0.1" : "0.0.0.0"
  }), var.config])
}

resource "aws_ecs_cluster" "this" {
  name = var.name

  # Without it CloudWatch does not know how many tasks run.
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_task_definition" "this" {
  family                   = var.name
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = var.cpu
  memory                   = var.memory
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task.arn

  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = var.architecture
  }

  volume {
    name = "configuration"
  }

  container_definitions = jsonencode([
    {
      name                   = "configuration"
      image                  = var.file_image
      essential              = false
      command                = ["sh", "-c", "printf '%s' \"$CONFIGURATION\" > ${local.file}"]
      environment            = [{ name = "CONFIGURATION", value = local.config }]
      readonlyRootFilesystem = true
      mountPoints            = [{ sourceVolume = "configuration", containerPath = local.folder, readOnly = false }]
      logConfiguration       = local.log_configuration
    },
    {
      name        = "bedrock-watch"
      image       = var.image
      essential   = true
      command     = ["run", "--config", local.file]
      dependsOn   = [{ containerName = "configuration", condition = "SUCCESS" }]
      secrets     = [for name, arn in var.secrets : { name = name, valueFrom = arn }]
      stopTimeout = 30
      # The health check cannot tell the workers from each other, and one that is merely behind must not be killed: it
      # asks whether the worker is alive. Alarms tell whether it protects.
      healthCheck = {
        command     = ["CMD", var.program, "health", "--config", local.file]
        interval    = 15
        timeout     = 10
        retries     = 4
        startPeriod = 60
      }
      readonlyRootFilesystem = true
      linuxParameters        = { capabilities = { drop = ["ALL"] }, initProcessEnabled = false }
      mountPoints            = [{ sourceVolume = "configuration", containerPath = local.folder, readOnly = true }]
      logConfiguration       = local.log_configuration
    },
  ])
}

locals {
  log_configuration = {
    logDriver = "awslogs"
    options = {
      awslogs-group         = aws_cloudwatch_log_group.this.name
      awslogs-region        = local.region
      awslogs-stream-prefix = "task"
      # A log that is full must not hold the service up.
      mode            = "non-blocking"
      max-buffer-size = "4m"
    }
  }
}

resource "aws_ecs_service" "this" {
  name            = var.name
  cluster         = aws_ecs_cluster.this.id
  task_definition = aws_ecs_task_definition.this.arn
  desired_count   = var.tasks
  launch_type     = "FARGATE"

  # A new worker runs before an old one ends, so that shards move instead of waiting.
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  availability_zone_rebalancing      = "ENABLED"
  propagate_tags                     = "SERVICE"

  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }

  network_configuration {
    subnets          = var.subnet_ids
    security_groups  = [aws_security_group.this.id]
    assign_public_ip = var.assign_public_ip
  }

  lifecycle {
    # Changed by the scaling below.
    ignore_changes = [desired_count]

    precondition {
      condition     = length(distinct([for subnet in data.aws_subnet.this : subnet.availability_zone])) >= 2
      error_message = "The subnets lie in one availability zone: with that zone the whole service would be gone."
    }
    precondition {
      condition     = alltrue([for subnet in data.aws_subnet.this : subnet.vpc_id == var.vpc_id])
      error_message = "A subnet is in another VPC than vpc_id."
    }
  }

  # A task that starts without its rights fails, and the circuit breaker would end the deployment.
  depends_on = [aws_iam_role_policy.task, aws_iam_role_policy.execution, aws_dynamodb_table.store, aws_dynamodb_table.leases]
}

resource "aws_security_group" "this" {
  name        = var.name
  description = "bedrock-watch: HTTPS out, and in what clients says"
  vpc_id      = var.vpc_id
}

resource "aws_vpc_security_group_egress_rule" "https" {
  security_group_id = aws_security_group.this.id
  description       = "AWS and the sinks"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
  cidr_ipv4         = "0.0.0.0/0"
}

resource "aws_vpc_security_group_ingress_rule" "clients" {
  for_each = var.clients

  security_group_id            = aws_security_group.this.id
  description                  = "Metrics, API and console, with a key"
  ip_protocol                  = "tcp"
  from_port                    = 8787
  to_port                      = 8787
  referenced_security_group_id = each.value
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158: encrypted with CloudWatch's own key; the log has no secret and no prompt
  name              = "/${var.name}/service"
  retention_in_days = var.log_days
}
