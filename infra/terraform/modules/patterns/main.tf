# The EventBridge rules that bedrock-watch needs, as data. `ingest` gives them streams as targets, `forwarder` a bus.
#
# infra/events.json is derived from the product's rules and engine by infra/events.py, which CI compares.
#
# Every pattern asks for a source that begins with `aws.`: AWS refuses to put such an event on a bus for anybody, so
# whoever may call events:PutEvents cannot make up what Bedrock or EC2 are said to have done.

locals {
  events  = jsondecode(file("${path.module}/../../../events.json"))
  bedrock = [{ prefix = "aws.bedrock" }]

  # A rule in the state ENABLED never sees a management event that reads, and InvokeModel reads.
  all    = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS"
  writes = "ENABLED"

  of_bedrock = {
    # Calls that make a model work: nearly all of the traffic. Shared between workers.
    bedrock-activity = {
      pattern = jsonencode({ source = local.bedrock, detail = { eventName = local.events.inference } })
      state   = local.all
      carries = "activity"
      global  = false
    }
    # Everything else that Bedrock reports through CloudTrail.
    bedrock-state = {
      pattern = jsonencode({
        source = local.bedrock
        detail = { eventName = [{ anything-but = local.events.inference }] }
      })
      state   = local.all
      carries = "state"
      global  = false
    }
    # What Bedrock reports itself: a job began, ended, failed.
    bedrock-jobs = {
      pattern = jsonencode({ source = local.bedrock, detail-type = local.events.native })
      state   = local.writes
      carries = "state"
      global  = false
    }
  }

  # Of users who should call nothing but Bedrock: all that they do elsewhere, reading too.
  of_identities = {
    for name, detail in local.events.identities : name => {
      pattern = jsonencode({ source = [{ prefix = "aws." }], detail = detail })
      state   = local.all
      carries = "state"
      global  = true
    }
  }

  of_others = {
    for name, family in local.events.families : name => {
      pattern = jsonencode({
        source = [{ prefix = "aws." }]
        detail = { eventSource = [family.source], eventName = family.names }
      })
      state   = family.reads ? local.all : local.writes
      carries = "state"
      global  = family.global
    }
  }
}
