# In whose name EventBridge delivers, who may send events here, and where those go that cannot be delivered.

resource "aws_iam_role" "deliver" {
  name        = "${var.name}-deliver-${local.region}"
  description = "EventBridge puts events into the streams of ${var.name}"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-*" }
      }
    }]
  })
}

locals {
  # infra/iam is the one place where rights are written. A template has one stream, so it is read once for each.
  deliver = [
    for stream in aws_kinesis_stream.this : jsondecode(templatefile("${path.module}/../../../iam/eventbridge-to-kinesis.json", {
      StreamArn    = stream.arn
      StreamKeyArn = aws_kms_key.stream.arn
    })).Statement
  ]
}

resource "aws_iam_role_policy" "deliver" {
  name = "deliver"
  role = aws_iam_role.deliver.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for index, statement in local.deliver[0] : merge(statement, {
        Resource = distinct([for statements in local.deliver : statements[index].Resource])
      })
    ]
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
      Condition = {
        ArnLike = { "aws:SourceArn" = "arn:${local.partition}:events:${local.region}:${local.account}:rule/${var.name}-*" }
      }
    }]
  })
}

# Statements of their own, so that whatever else the default bus allows stays as it is.
resource "aws_cloudwatch_event_permission" "organization" {
  count = var.organization_id == null ? 0 : 1

  principal    = "*"
  statement_id = "${var.name}-organization"

  condition {
    key   = "aws:PrincipalOrgID"
    type  = "StringEquals"
    value = var.organization_id
  }
}

resource "aws_cloudwatch_event_permission" "member" {
  for_each = var.member_account_ids

  principal    = each.value
  statement_id = "${var.name}-${each.value}"
}

# IAM and other global services log in us-east-1: a role that is deleted there concerns the jobs of every region.
module "global" {
  source = "../forwarder"
  count  = var.forward_global_events && local.region != "us-east-1" ? 1 : 0

  name    = "${var.name}-global"
  bus_arn = local.bus_arn
  only    = [for name, rule in module.patterns.rules : name if rule.global]

  alarm_topic_arns = var.global_alarm_topic_arns

  providers = {
    aws = aws.global
  }
}
