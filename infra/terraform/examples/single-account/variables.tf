variable "region" {
  description = "The region to watch, in which the service runs."
  type        = string
}

variable "trail_arn" {
  description = "A trail that logs all management events of all regions. null: one is made."
  type        = string
  default     = null
}

variable "image" {
  description = "The service's image, REPOSITORY@sha256:..."
  type        = string
}

variable "file_image" {
  description = "An image with sh, such as busybox@sha256:..., which writes the configuration's file."
  type        = string
}

variable "vpc_id" {
  description = "The VPC that tasks run in."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets in at least two availability zones, with a way out."
  type        = list(string)
}

variable "assign_public_ip" {
  description = "Whether tasks need public addresses to get out: true in subnets without NAT, such as those of the default VPC."
  type        = bool
  default     = false
}

variable "slack_webhook_secret_arn" {
  description = "The secret that holds what follows https://hooks.slack.com/services/ in the address of an incoming webhook. null: alerts go to the log alone."
  type        = string
  default     = null
}

variable "alarm_email" {
  description = "Who is told by mail when the service itself is in trouble. null: nobody."
  type        = string
  default     = null
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted."
  type        = bool
  default     = true
}
