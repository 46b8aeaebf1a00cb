locals {
  # Every worker reads the state stream whole, so one shard is all that it can use.
  shards    = { activity = var.activity_shards, state = 1 }
  in_demand = { for name, shards in local.shards : name => shards == null }
}

resource "aws_kinesis_stream" "this" {
  for_each = local.shards

  name             = "${var.name}-${each.key}"
  shard_count      = each.value
  retention_period = var.retention_hours
  encryption_type  = "KMS"
  kms_key_id       = aws_kms_key.stream.arn

  # Says in CloudWatch which shard is full.
  shard_level_metrics = ["IncomingBytes", "IncomingRecords", "WriteProvisionedThroughputExceeded"]

  stream_mode_details {
    stream_mode = local.in_demand[each.key] ? "ON_DEMAND" : "PROVISIONED"
  }
}

resource "aws_kms_key" "stream" {
  description             = "The streams of ${var.name}"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy                  = jsonencode(local.key_policy)
}

resource "aws_kms_alias" "stream" {
  name          = "alias/${var.name}-streams"
  target_key_id = aws_kms_key.stream.key_id
}

locals {
  key_policy = {
    Version = "2012-10-17"
    Statement = [
      {
        # AWS's own default: IAM policies of this account decide, and nobody can lock the account out of its key.
        Sid       = "Account"
        Effect    = "Allow"
        Principal = { AWS = "arn:${local.partition}:iam::${local.account}:root" }
        Action    = "kms:*"
        Resource  = "*"
      },
      {
        # The role of the targets, in so many words, so that an IAM policy that is too narrow cannot silence the service.
        Sid       = "Deliver"
        Effect    = "Allow"
        Principal = { AWS = aws_iam_role.deliver.arn }
        Action    = ["kms:GenerateDataKey"]
        Resource  = "*"
        Condition = { StringEquals = { "kms:ViaService" = "kinesis.${local.region}.amazonaws.com" } }
      },
    ]
  }
}
