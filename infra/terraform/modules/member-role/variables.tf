variable "name" {
  description = "The name of the role. The same in every account."
  type        = string
  default     = "bedrock-watch-member"
}

variable "task_role_arn" {
  description = "The role of the service that may assume this one (output `task_role_arn` of the module service)."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", var.task_role_arn))
    error_message = "task_role_arn must be the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME."
  }
}

variable "external_id" {
  description = "What the service must say when it assumes the role (`external_id` of `[[account]]`). No secret; it keeps others from using the service to reach this account."
  type        = string

  validation {
    condition     = length(var.external_id) >= 8
    error_message = "external_id must have at least 8 characters."
  }
}
