variable "name" {
  description = "Begins the name of everything."
  type        = string
  default     = "bedrock-watch"

  validation {
    condition     = can(regex("^[a-z0-9-]{1,32}$", var.name))
    error_message = "name must be made of at most 32 of a-z, 0-9 and -."
  }
}

variable "ingest" {
  description = "Where events come from: the output `for_service` of the module ingest."
  type = object({
    activity_stream  = object({ name = string, arn = string })
    state_stream     = object({ name = string, arn = string })
    key_arn          = string
    bus_arn          = string
    canary_rule      = string
    undelivered_name = string
  })
}

variable "image" {
  description = "The container image, by digest: REPOSITORY@sha256:..., so that every task runs the same program."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.image))
    error_message = "image must end with its digest, @sha256: and 64 hexadecimal digits; a tag can be moved."
  }
}

variable "program" {
  description = "Where the program is in the image."
  type        = string
  default     = "/bedrock-watch"
}

variable "file_image" {
  description = "The image, by digest, of the container that writes the configuration into a file before the service starts; it needs sh."
  type        = string

  validation {
    condition     = can(regex("@sha256:[0-9a-f]{64}$", var.file_image))
    error_message = "file_image must end with its digest, @sha256: and 64 hexadecimal digits; a tag can be moved."
  }
}

variable "config" {
  description = "TOML that is added to the configuration made here (sources, store, leases, canary, log): sinks, routes, accounts and so on. Secrets belong into `secrets`, as $${NAME}, or into Secrets Manager, as $${secretsmanager:NAME}."
  type        = string
  default     = ""

  validation {
    condition     = !can(regex("(?i)(xox[bp]-[0-9a-z]{10}|hooks\\.slack\\.com/services/T|AKIA[0-9A-Z]{16})", var.config))
    error_message = "config contains what looks like a secret; it would be readable in the task definition. Use secrets."
  }
  # An environment of a task is limited to 64 KB in all.
  validation {
    condition     = length(var.config) <= 32768
    error_message = "config must have at most 32,768 characters."
  }
}

variable "secrets" {
  description = "Environment variables from Secrets Manager, for $${NAME} in the configuration: name to ARN (or ARN:KEY:: for one key of a JSON secret)."
  type        = map(string)
  default     = {}

  validation {
    condition     = alltrue([for arn in values(var.secrets) : can(regex("^arn:aws[a-z-]*:secretsmanager:", arn))])
    error_message = "secrets must be ARNs of Secrets Manager."
  }
}

variable "named_secret_arns" {
  description = "Secrets that the configuration itself names by $${secretsmanager:NAME}; the service reads them when it starts."
  type        = set(string)
  default     = []
}

variable "vpc_id" {
  description = "The VPC that tasks run in."
  type        = string
}

variable "subnet_ids" {
  description = "Subnets of at least two availability zones, with a way to AWS and to the sinks: NAT, or endpoints."
  type        = list(string)

  validation {
    condition     = length(distinct(var.subnet_ids)) >= 2
    error_message = "subnet_ids must name at least two subnets, in different availability zones."
  }
}

variable "assign_public_ip" {
  description = "Whether tasks have public addresses, which subnets without NAT need. Nothing can connect to them in either case."
  type        = bool
  default     = false
}

variable "clients" {
  description = "Security groups that may reach the workers on port 8787: Prometheus, or whoever uses the API and the console. Empty: nobody, and the workers listen on loopback alone. `config` must then have an [[api_key]] for them."
  type        = set(string)
  default     = []
}

variable "tasks" {
  description = "How many workers run; at least two, so that one may die."
  type        = number
  default     = 2

  validation {
    condition     = var.tasks >= 2
    error_message = "tasks must be at least 2: with one, nobody watches while it is replaced."
  }
}

variable "tasks_max" {
  description = "How many workers run at most when the service lags. More than shards of the activity stream are of no use."
  type        = number
  default     = 4

  validation {
    condition     = var.tasks_max >= var.tasks
    error_message = "tasks_max must be at least tasks."
  }
}

variable "cpu" {
  description = "CPU units of a task, 1024 being one."
  type        = number
  default     = 512
}

variable "memory" {
  description = "Memory of a task, in MiB. Together with cpu it must be a size that Fargate has."
  type        = number
  default     = 1024
}

variable "architecture" {
  description = "What the image was built for: X86_64 or ARM64."
  type        = string
  default     = "X86_64"

  validation {
    condition     = contains(["X86_64", "ARM64"], var.architecture)
    error_message = "architecture must be X86_64 or ARM64."
  }
}

variable "member_role_arn" {
  description = "The roles in other accounts that the service may assume, such as arn:aws:iam::*:role/bedrock-watch-member. null: none."
  type        = string
  default     = null
}

variable "regions" {
  description = "The regions that the service asks about jobs, in its own account. Empty: its own region alone. [\"*\"]: every enabled one."
  type        = list(string)
  default     = []
}

variable "organization_coverage" {
  description = "Whether the service looks every hour at every account and region of the organization (`organization` of `[inventory]`), from the management account or a delegated administrator."
  type        = bool
  default     = false
}

variable "sink_bus_arn" {
  description = "The event bus that alerts go to, if the configuration has a sink of kind eventbridge."
  type        = string
  default     = null
}

variable "sink_topic_arn" {
  description = "The topic that alerts go to, if the configuration has a sink of kind sns."
  type        = string
  default     = null
}

variable "sink_security_hub" {
  description = "Whether the configuration has a sink of kind security_hub."
  type        = bool
  default     = false
}

variable "alarm_topic_arns" {
  description = "Topics that are told when the service itself is in trouble. They should reach people by another way than the service's own sinks."
  type        = list(string)
  default     = []
}

variable "lag_alarm_s" {
  description = "How far the service may be behind the streams before the alarm, in seconds."
  type        = number
  default     = 300
}

variable "log_days" {
  description = "For how long the service's log is kept, in days."
  type        = number
  default     = 365
}

variable "evidence_days" {
  description = "For how long nobody may delete evidence, in days."
  type        = number
  default     = 400

  validation {
    condition     = var.evidence_days >= 365
    error_message = "evidence_days must be at least 365: an audit looks at a year."
  }
}

variable "evidence_mode" {
  description = "GOVERNANCE: who has the right s3:BypassGovernanceRetention may shorten it. COMPLIANCE: nobody, not even the root user, and the bucket cannot be deleted until the last object's days are over."
  type        = string
  default     = "GOVERNANCE"

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.evidence_mode)
    error_message = "evidence_mode must be GOVERNANCE or COMPLIANCE."
  }
}

variable "deletion_protection" {
  description = "Whether the tables refuse to be deleted. Set it to false, and apply, before `terraform destroy`."
  type        = bool
  default     = true
}
