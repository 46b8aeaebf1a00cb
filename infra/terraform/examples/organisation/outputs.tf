output "bus_arn" {
  description = "The bus to which forwarders of further accounts send."
  value       = module.ingest.bus_arn
}

output "config" {
  description = "The service's configuration, for `bedrock-watch doctor --config`."
  value       = module.service.config
}

output "task_role_arn" {
  description = "The service's role."
  value       = module.service.task_role_arn
}
