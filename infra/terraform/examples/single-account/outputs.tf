output "config" {
  description = "The service's configuration: `terraform output -raw config > bedrock-watch.toml`, then `bedrock-watch doctor --config bedrock-watch.toml`."
  value       = module.service.config
}

output "cluster" {
  description = "The ECS cluster."
  value       = module.service.cluster
}

output "log_group" {
  description = "The service's log."
  value       = module.service.log_group
}

output "evidence_bucket" {
  description = "The bucket whose objects nobody can delete."
  value       = module.service.evidence_bucket
}
