output "rules" {
  description = "The rules by name: pattern (JSON), state, the stream that it feeds (`activity` or `state`), and whether the events occur in us-east-1 alone."
  value       = merge(local.of_bedrock, local.of_identities, local.of_others)
}
