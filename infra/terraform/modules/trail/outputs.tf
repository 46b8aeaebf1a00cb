output "arn" {
  description = "The trail, for `trail_arn` of the module ingest."
  value       = aws_cloudtrail.this.arn
}

output "bucket" {
  description = "The bucket of its log files, for `replay s3://` and `--teach`."
  value       = aws_s3_bucket.this.id
}
