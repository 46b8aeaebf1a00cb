# bedrock-watch for an organization: the service in a security account, forwarders everywhere else.

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

locals {
  security_account = data.aws_caller_identity.current.account_id
  partition        = data.aws_partition.current.partition
  member_role      = "bedrock-watch-member"
  # The security account's other regions, which no stack set reaches. us-east-1 has the module's own forwarder.
  members = { for id, account in var.accounts : id => account if id != local.security_account }
}

module "ingest" {
  source = "../../modules/ingest"

  trail_arn       = var.trail_arn
  organization_id = var.organization_id
  activity_shards = 4

  global_alarm_topic_arns = var.global_alarm_topic_arns

  providers = {
    aws        = aws
    aws.global = aws.global
  }
}

module "service" {
  source = "../../modules/service"

  ingest                = module.ingest.for_service
  image                 = var.image
  file_image            = var.file_image
  vpc_id                = var.vpc_id
  subnet_ids            = var.subnet_ids
  alarm_topic_arns      = var.alarm_topic_arns
  member_role_arn       = "arn:${local.partition}:iam::*:role/${local.member_role}"
  organization_coverage = true
  tasks_max             = 4

  secrets = { PAGERDUTY_ROUTING_KEY = var.pagerduty_secret_arn }
  config = templatefile("${path.module}/organisation.toml.tftpl", {
    members     = local.members
    regions     = sort(var.watched_regions)
    role        = local.member_role
    partition   = local.partition
    external_id = var.external_id
  })
}

# Forwarders and roles in every account of the units, and in those that join later.
resource "aws_cloudformation_stack_set" "forwarder" {
  provider = aws.stack_sets

  name             = "bedrock-watch-forwarder"
  description      = "Sends Bedrock's events to the security account, and lets bedrock-watch ask"
  permission_model = "SERVICE_MANAGED"
  call_as          = var.stack_sets_profile == null ? "DELEGATED_ADMIN" : "SELF"
  template_body    = file("${path.module}/../../../cloudformation/forwarder.yaml")
  capabilities     = ["CAPABILITY_NAMED_IAM"]

  parameters = {
    BusArn      = module.ingest.bus_arn
    TaskRoleArn = module.service.task_role_arn
    ExternalId  = var.external_id
    # Roles are global: one region makes the one for asking.
    RoleRegion = var.region
    MemberRole = local.member_role
    # REGION in it stands for each region.
    AlarmTopicArn = var.forwarder_alarm_topic_arn
  }

  auto_deployment {
    enabled                          = true
    retain_stacks_on_account_removal = false
  }

  operation_preferences {
    failure_tolerance_percentage = 10
    max_concurrent_percentage    = 25
  }

  lifecycle {
    # Written by AWS.
    ignore_changes = [administration_role_arn]
  }
}

resource "aws_cloudformation_stack_set_instance" "forwarder" {
  for_each = setunion(var.watched_regions, [var.region])
  provider = aws.stack_sets

  stack_set_name = aws_cloudformation_stack_set.forwarder.name
  region         = each.value
  call_as        = var.stack_sets_profile == null ? "DELEGATED_ADMIN" : "SELF"

  deployment_targets {
    organizational_unit_ids = var.organizational_unit_ids
    # It forwards to itself otherwise.
    accounts            = [local.security_account]
    account_filter_type = "DIFFERENCE"
  }
}
