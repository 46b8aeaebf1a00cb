variable "region" {
  description = "The region in which the service runs."
  type        = string
}

variable "watched_regions" {
  description = "The regions in which Bedrock is used, or may be. us-east-1 must be among them: IAM logs there."
  type        = set(string)

  validation {
    condition     = contains(var.watched_regions, "us-east-1")
    error_message = "watched_regions must contain us-east-1: what IAM does is logged there alone."
  }
}

variable "organization_id" {
  description = "The organization, such as o-ab12cd34ef."
  type        = string
}

variable "organizational_unit_ids" {
  description = "The organizational units that are watched, or the root: ou-... or r-..."
  type        = set(string)
}

variable "stack_sets_profile" {
  description = "The AWS profile of the account that administers stack sets. null: the same credentials as for the security account, which must then be a delegated administrator."
  type        = string
  default     = null
}

variable "trail_arn" {
  description = "The organization's trail: all accounts, all regions, management events that read and that write."
  type        = string
}

variable "accounts" {
  description = "The watched accounts by id: what people call each, and to which group it belongs."
  type        = map(object({ name = string, group = optional(string) }))
}

variable "external_id" {
  description = "What the service says when it assumes its role in another account."
  type        = string
}

variable "image" {
  description = "The service's image, REPOSITORY@sha256:..."
  type        = string
}

variable "file_image" {
  description = "An image with sh, by digest, which writes the configuration's file."
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

variable "pagerduty_secret_arn" {
  description = "The secret that holds PagerDuty's integration key."
  type        = string
}

variable "alarm_topic_arns" {
  description = "Topics that are told when the service itself is in trouble."
  type        = list(string)
  default     = []
}

variable "global_alarm_topic_arns" {
  description = "Topics in us-east-1 that are told when events of global services could not be forwarded from there."
  type        = list(string)
  default     = []
}

variable "forwarder_alarm_topic_arn" {
  description = "The topic that is told when an account's forwarder could not forward events for a day. An alarm reaches topics of its own region alone, so there is one in each: arn:aws:sns:REGION:ACCOUNT:NAME, with the word REGION as it stands. Their policy must let CloudWatch publish for all accounts of the organization. Empty: no alarm."
  type        = string
  default     = ""
}
