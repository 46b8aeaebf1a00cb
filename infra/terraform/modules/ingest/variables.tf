variable "name" {
  description = "Begins the name of everything. It must contain `bedrock-watch`, because the rule `detector-blind-path` knows by it whose rules and streams somebody stops or deletes."
  type        = string
  default     = "bedrock-watch"

  validation {
    condition     = can(regex("^[a-z0-9-]*bedrock-watch[a-z0-9-]*$", var.name)) && length(var.name) <= 32
    error_message = "name must contain bedrock-watch, have at most 32 characters, and be made of a-z, 0-9 and -."
  }
}

variable "trail_arn" {
  description = "The trail that logs management events, those that read and those that write, in all regions. Without one EventBridge delivers nothing. Terraform cannot ask for a trail's settings; `bedrock-watch doctor` does."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:cloudtrail:[a-z0-9-]+:[0-9]{12}:trail/.+$", var.trail_arn))
    error_message = "trail_arn must be the ARN of a trail: arn:aws:cloudtrail:REGION:ACCOUNT:trail/NAME."
  }
}

variable "activity_shards" {
  description = "Shards of the activity stream, which carries inference calls; one takes 1,000 calls a second. As many workers as shards can share the work. null: on demand."
  type        = number
  default     = 2

  validation {
    condition     = var.activity_shards == null ? true : var.activity_shards >= 1 && var.activity_shards <= 500
    error_message = "activity_shards must lie between 1 and 500, or be null."
  }
}

variable "retention_hours" {
  description = "For how long the streams keep records, in hours: how long the service may be down without losing any."
  type        = number
  default     = 72

  validation {
    condition     = var.retention_hours >= 24 && var.retention_hours <= 8760
    error_message = "retention_hours must lie between 24 and 8760."
  }
}

variable "organization_id" {
  description = "The organization whose accounts may put events on this account's default bus, such as o-ab12cd34ef. null: none."
  type        = string
  default     = null

  validation {
    condition     = var.organization_id == null ? true : can(regex("^o-[a-z0-9]{10,32}$", var.organization_id))
    error_message = "organization_id must look like o-ab12cd34ef."
  }
}

variable "member_account_ids" {
  description = "Single accounts that may put events on this account's default bus, for those outside of the organization."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for id in var.member_account_ids : can(regex("^[0-9]{12}$", id))])
    error_message = "member_account_ids must be account ids of twelve digits."
  }
}

variable "forward_global_events" {
  description = "Whether to forward what global services such as IAM log in us-east-1. Has no effect in us-east-1 itself. Set it to false where the module `forwarder` runs in us-east-1 of this account: it forwards them too."
  type        = bool
  default     = true
}

variable "global_alarm_topic_arns" {
  description = "Topics in us-east-1 that are told when events of global services could not be forwarded from there for a day. Of the queue in the service's own region the module `service` tells."
  type        = list(string)
  default     = []
}
