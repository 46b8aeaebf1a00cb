# bedrock-watch for one account and region.

module "trail" {
  source = "../../modules/trail"
  count  = var.trail_arn == null ? 1 : 0
}

module "ingest" {
  source = "../../modules/ingest"

  trail_arn               = var.trail_arn == null ? module.trail[0].arn : var.trail_arn
  global_alarm_topic_arns = aws_sns_topic.global_alarms[*].arn

  providers = {
    aws        = aws
    aws.global = aws.global
  }
}

module "service" {
  source = "../../modules/service"

  ingest              = module.ingest.for_service
  image               = var.image
  file_image          = var.file_image
  vpc_id              = var.vpc_id
  subnet_ids          = var.subnet_ids
  assign_public_ip    = var.assign_public_ip
  alarm_topic_arns    = aws_sns_topic.alarms[*].arn
  deletion_protection = var.deletion_protection

  secrets = var.slack_webhook_secret_arn == null ? {} : { SLACK_HOOK = var.slack_webhook_secret_arn }
  config = join("\n", compact([
    file("${path.module}/sinks.toml"),
    var.slack_webhook_secret_arn == null ? "" : file("${path.module}/slack.toml"),
  ]))
}

resource "aws_sns_topic" "alarms" {
  # checkov:skip=CKV_AWS_26: CloudWatch's alarms cannot write to a topic under AWS's key, and texts of alarms are no secret
  count = var.alarm_email == null ? 0 : 1

  name = "bedrock-watch-alarms"
}

resource "aws_sns_topic_subscription" "alarms" {
  count = var.alarm_email == null ? 0 : 1

  topic_arn = aws_sns_topic.alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

# An alarm reaches topics of its own region alone, and IAM's events are forwarded from us-east-1.
resource "aws_sns_topic" "global_alarms" {
  # checkov:skip=CKV_AWS_26: CloudWatch's alarms cannot write to a topic under AWS's key, and texts of alarms are no secret
  count    = var.alarm_email == null || var.region == "us-east-1" ? 0 : 1
  provider = aws.global

  name = "bedrock-watch-alarms"
}

resource "aws_sns_topic_subscription" "global_alarms" {
  count    = length(aws_sns_topic.global_alarms)
  provider = aws.global

  topic_arn = aws_sns_topic.global_alarms[0].arn
  protocol  = "email"
  endpoint  = var.alarm_email
}
