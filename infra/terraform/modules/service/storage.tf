# What must survive: alerts and positions in DynamoDB, the engine's memory and the evidence in S3.

# Keys and indexes are those that detector/aws/src/dynamodb/schema.rs checks at every start.
resource "aws_dynamodb_table" "store" {
  # checkov:skip=CKV_AWS_119: encrypted with AWS's key; it holds metadata of calls, and a key of ours would be one more thing that can blind the service
  name                        = var.name
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  deletion_protection_enabled = var.deletion_protection

  dynamic "attribute" {
    for_each = ["pk", "sk", "o", "d"]
    content {
      name = attribute.value
      type = "S"
    }
  }

  # Local ones, because only these can be read consistently: what was committed must be claimed at once.
  local_secondary_index {
    name               = "by_order"
    range_key          = "o"
    projection_type    = "INCLUDE"
    non_key_attributes = ["d", "status", "severity", "rule", "account", "principal", "wanted", "delivered", "since"]
  }

  local_secondary_index {
    name               = "by_due"
    range_key          = "d"
    projection_type    = "INCLUDE"
    non_key_attributes = ["o"]
  }

  ttl {
    attribute_name = "expires_at"
    enabled        = true
  }

  point_in_time_recovery {
    enabled = true
  }
}

# Laid out as the Kinesis Client Library 2.x does it. A lease that is not renewed is taken, so nothing here expires.
resource "aws_dynamodb_table" "leases" {
  # checkov:skip=CKV_AWS_119: names of shards and workers
  name                        = "${var.name}-leases"
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "leaseKey"
  deletion_protection_enabled = var.deletion_protection

  attribute {
    name = "leaseKey"
    type = "S"
  }

  point_in_time_recovery {
    enabled = true
  }
}

locals {
  buckets = {
    # What the engine knows, written every 30 s: the newest version counts.
    memory = { lock = false, noncurrent_days = 1 }
    # What the detector did and was told.
    evidence = { lock = true, noncurrent_days = null }
  }
}

resource "aws_s3_bucket" "this" {
  # checkov:skip=CKV_AWS_18: one writer, whose calls CloudTrail's data events can log where that is wanted
  # checkov:skip=CKV_AWS_144: the memory is made again from the streams; evidence is copied to another account by those who ask for it
  # checkov:skip=CKV_AWS_145: encrypted with S3's own key; a key that somebody disables must not stop the service or take the evidence away
  # checkov:skip=CKV2_AWS_62: nobody waits for these objects
  for_each = local.buckets

  bucket              = "${var.name}-${each.key}-${local.account}-${local.region}"
  object_lock_enabled = each.value.lock
}

resource "aws_s3_bucket_object_lock_configuration" "evidence" {
  bucket = aws_s3_bucket.this["evidence"].id

  rule {
    default_retention {
      mode = var.evidence_mode
      days = var.evidence_days
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = local.buckets

  bucket                  = aws_s3_bucket.this[each.key].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id

  rule {
    id     = "tidy"
    status = "Enabled"

    filter {}

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }

    dynamic "noncurrent_version_expiration" {
      for_each = each.value.noncurrent_days == null ? [] : [each.value.noncurrent_days]
      content {
        noncurrent_days = noncurrent_version_expiration.value
      }
    }

    # Read seldom, and kept for more than a year. Nothing that is locked expires.
    dynamic "transition" {
      for_each = each.value.lock ? [90] : []
      content {
        days          = transition.value
        storage_class = "GLACIER_IR"
      }
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_policy" "this" {
  for_each = local.buckets
  bucket   = aws_s3_bucket.this[each.key].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OnlyEncrypted"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [aws_s3_bucket.this[each.key].arn, "${aws_s3_bucket.this[each.key].arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.this]
}
