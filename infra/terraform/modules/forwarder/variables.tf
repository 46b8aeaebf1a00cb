variable "name" {
  description = "Begins the name of everything. It must contain `bedrock-watch`, because the rule `detector-blind-path` knows by it whose rules somebody stops or deletes."
  type        = string
  default     = "bedrock-watch-forward"

  validation {
    condition     = can(regex("^[a-z0-9-]*bedrock-watch[a-z0-9-]*$", var.name)) && length(var.name) <= 40
    error_message = "name must contain bedrock-watch, have at most 40 characters, and be made of a-z, 0-9 and -."
  }
}

variable "bus_arn" {
  description = "The default bus of the security account, in the service's region (output `bus_arn` of the module ingest). EventBridge does not pass on what was passed on once, so it must be that bus and no other on the way."
  type        = string

  validation {
    condition     = can(regex("^arn:aws[a-z-]*:events:[a-z0-9-]+:[0-9]{12}:event-bus/.+$", var.bus_arn))
    error_message = "bus_arn must be the ARN of an event bus: arn:aws:events:REGION:ACCOUNT:event-bus/NAME."
  }
}

variable "only" {
  description = "The names of the rules to make, of those in the module patterns. null: all."
  type        = list(string)
  default     = null

  validation {
    condition     = var.only == null ? true : length(var.only) > 0
    error_message = "only must name a rule, or be null for all."
  }
}

variable "alarm_topic_arns" {
  description = "Topics of the forwarder's own region that are told when events could not be forwarded for a day. Empty: there is no alarm, and somebody has to look at the queue."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for arn in var.alarm_topic_arns : can(regex("^arn:aws[a-z-]*:sns:[a-z0-9-]+:[0-9]{12}:.+$", arn))])
    error_message = "alarm_topic_arns must be ARNs of topics: arn:aws:sns:REGION:ACCOUNT:NAME."
  }
}
