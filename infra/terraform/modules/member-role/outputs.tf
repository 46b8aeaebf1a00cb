output "arn" {
  description = "The role, for `role_arn` of `[[account]]`."
  value       = aws_iam_role.this.arn
}
