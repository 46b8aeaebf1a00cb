output "task_role_arn" {
  description = "The service's role, which the role in other accounts must trust (`task_role_arn` of the module member-role)."
  value       = aws_iam_role.task.arn
}

output "cluster" {
  description = "The ECS cluster."
  value       = aws_ecs_cluster.this.name
}

output "service" {
  description = "The ECS service."
  value       = aws_ecs_service.this.name
}

output "task_definition" {
  description = "The task definition, for single tasks such as `bedrock-watch alerts redrive`."
  value       = aws_ecs_task_definition.this.arn
}

output "security_group_id" {
  description = "The group of the tasks, for endpoints and the like that must let them in."
  value       = aws_security_group.this.id
}

output "log_group" {
  description = "The service's log."
  value       = aws_cloudwatch_log_group.this.name
}

output "evidence_bucket" {
  description = "The bucket whose objects nobody can delete."
  value       = aws_s3_bucket.this["evidence"].id
}

output "config" {
  description = "The configuration of the service, for `bedrock-watch doctor --config`. Secrets are named in it and not contained."
  value       = local.config
}
