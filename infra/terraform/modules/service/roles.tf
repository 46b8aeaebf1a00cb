# Two roles: `execution` is ECS's own, which fetches the image and secrets and writes the log; `task` is the service's.

locals {
  trust = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account }
        ArnLike      = { "aws:SourceArn" = "arn:${local.partition}:ecs:${local.region}:${local.account}:*" }
      }
    }]
  })

  # infra/iam/daemon.json is the one place where the service's rights are written. A template names one stream, so it is
  # read once for each.
  statements = [
    for stream in [var.ingest.state_stream.arn, var.ingest.activity_stream.arn] :
    jsondecode(templatefile("${path.module}/../../../iam/daemon.json", {
      StreamArn         = stream
      StreamKeyArn      = var.ingest.key_arn
      TableArn          = aws_dynamodb_table.store.arn
      LeaseTableArn     = aws_dynamodb_table.leases.arn
      SnapshotBucketArn = aws_s3_bucket.this["memory"].arn
      BusArn            = var.ingest.bus_arn
      MemberRoleArn     = local.or_nothing["OtherAccounts"]
      SinkBusArn        = local.or_nothing["SinkEventBridge"]
      TopicArn          = local.or_nothing["SinkSns"]
      Partition         = local.partition
      # Of features that this deployment does not use; their statements are left out.
      QueueArn       = local.nothing
      TrailBucketArn = local.nothing
      SecretArn      = local.nothing
      # Resources of statements that later versions of the template may have.
      EvidenceBucketArn = aws_s3_bucket.this["evidence"].arn
    })).Statement
  ]

  nothing = "arn:${local.partition}:nothing:::"
  or_nothing = {
    OtherAccounts   = coalesce(var.member_role_arn, local.nothing)
    SinkEventBridge = coalesce(var.sink_bus_arn, local.nothing)
    SinkSns         = coalesce(var.sink_topic_arn, local.nothing)
  }

  unused = compact([
    "FanOut", "ReadQueues", "ListLogFiles", "ReadLogFiles",
    var.member_role_arn == null ? "OtherAccounts" : "",
    var.sink_bus_arn == null ? "SinkEventBridge" : "",
    var.sink_topic_arn == null ? "SinkSns" : "",
    var.sink_security_hub ? "" : "SinkSecurityHub",
    var.organization_coverage ? "" : "Coverage",
    length(var.named_secret_arns) == 0 ? "Secrets" : "",
  ])

  # The repositories of those images that are in ECR, in whichever account and region: ECS needs rights for no others.
  repositories = distinct(flatten([
    for image in [var.image, var.file_image] : [
      for parts in regexall("^([0-9]{12})\\.dkr[.-]ecr(?:-fips)?\\.([a-z0-9-]+)\\.[a-z.]+/([^:@]+)", image) :
      "arn:${local.partition}:ecr:${parts[1]}:${parts[0]}:repository/${parts[2]}"
    ]
  ]))

  # Terraform makes the tables, so the service need not.
  not_needed = ["dynamodb:CreateTable", "dynamodb:UpdateTimeToLive"]
}

resource "aws_iam_role" "task" {
  name               = "${var.name}-task-${local.region}"
  description        = "The service bedrock-watch"
  assume_role_policy = local.trust
}

resource "aws_iam_role_policy" "task" {
  name = "service"
  role = aws_iam_role.task.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for index, statement in local.statements[0] : merge(statement, {
        Action = [for action in statement.Action : action if !contains(local.not_needed, action)]
        Resource = statement.Sid == "Secrets" ? sort(var.named_secret_arns) : distinct(flatten([
          for read in local.statements : read[index].Resource
        ]))
      }) if !contains(local.unused, statement.Sid)
    ]
  })
}

resource "aws_iam_role" "execution" {
  name               = "${var.name}-execution-${local.region}"
  description        = "ECS starts tasks of bedrock-watch"
  assume_role_policy = local.trust
}

resource "aws_iam_role_policy" "execution" {
  name = "start"
  role = aws_iam_role.execution.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = "${aws_cloudwatch_log_group.this.arn}:*"
        },
      ],
      [
        for statement in [
          {
            # There is no resource for this one.
            Sid      = "LogInToRegistry"
            Effect   = "Allow"
            Action   = ["ecr:GetAuthorizationToken"]
            Resource = ["*"]
          },
          {
            Sid      = "Image"
            Effect   = "Allow"
            Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
            Resource = local.repositories
          },
        ] : statement if length(local.repositories) > 0
      ],
      length(var.secrets) == 0 ? [] : [{
        Sid    = "Secrets"
        Effect = "Allow"
        Action = ["secretsmanager:GetSecretValue"]
        # Without the KEY of ARN:KEY:VERSION:, which an IAM policy does not know.
        Resource = distinct([for arn in values(var.secrets) : join(":", slice(split(":", arn), 0, 7))])
      }]
    )
  })
}
