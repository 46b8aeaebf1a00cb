# The role in a watched account that the service assumes to ask about jobs, security groups, trails and rules. It reads
# and changes nothing. Roles are global, so once for each account.

resource "aws_iam_role" "this" {
  name        = var.name
  description = "bedrock-watch asks about Bedrock jobs and what they stand on"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { AWS = var.task_role_arn }
      Action    = "sts:AssumeRole"
      Condition = { StringEquals = { "sts:ExternalId" = var.external_id } }
    }]
  })
}

resource "aws_iam_role_policy" "this" {
  name   = "ask"
  role   = aws_iam_role.this.id
  policy = file("${path.module}/../../../iam/member-role.json")
}
