variable "name" {
  description = "The name of the trail, and the beginning of its bucket's."
  type        = string
  default     = "bedrock-watch-trail"
}

variable "organization_id" {
  description = "The organization, if the trail is to cover all its accounts; the module then runs in the management account, or in the one that administers CloudTrail. null: this account alone."
  type        = string
  default     = null
}

variable "management_account_id" {
  description = "The organization's management account, which owns the trail also where a delegated administrator makes it. null: this account."
  type        = string
  default     = null
}

variable "data_events" {
  description = "Whether calls of agents, knowledge bases, flows, guardrails and prompts are logged too. They are data events and cost money for each call; without them those calls are not seen."
  type        = bool
  default     = false
}

variable "keep_days" {
  description = "For how long log files are kept, in days."
  type        = number
  default     = 400

  validation {
    condition     = var.keep_days >= 90
    error_message = "keep_days must be at least 90: investigations look back that far."
  }
}
