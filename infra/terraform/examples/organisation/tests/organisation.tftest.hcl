# The example as somebody would use it, planned by providers that ask nobody: modules fit together, and the configuration
# names every account but the service's own.

mock_provider "aws" {
  source = "../../tests/mocks"

  override_data {
    target = module.service.data.aws_subnet.this["subnet-0a"]
    values = { availability_zone = "eu-central-1a", vpc_id = "vpc-0a" }
  }

  override_data {
    target = module.service.data.aws_subnet.this["subnet-0b"]
    values = { availability_zone = "eu-central-1b", vpc_id = "vpc-0a" }
  }
}

mock_provider "aws" {
  alias  = "global"
  source = "../../tests/mocks"

  override_data {
    target = module.ingest.module.global[0].data.aws_region.current
    values = { name = "us-east-1" }
  }
}

mock_provider "aws" {
  alias  = "stack_sets"
  source = "../../tests/mocks"
}

variables {
  region                  = "eu-central-1"
  watched_regions         = ["eu-central-1", "us-east-1"]
  organization_id         = "o-ab12cd34ef"
  organizational_unit_ids = ["ou-ab12-cd34ef56"]
  trail_arn               = "arn:aws:cloudtrail:eu-central-1:123456789012:trail/all"
  accounts = {
    "123456789012" = { name = "security" }
    "111122223333" = { name = "models \"prod\"", group = "prod" }
    "444455556666" = { name = "models test" }
  }
  external_id               = "bedrock-watch-0123"
  image                     = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/bedrock-watch@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  file_image                = "busybox@sha256:0000000000000000000000000000000000000000000000000000000000000000"
  vpc_id                    = "vpc-0a"
  subnet_ids                = ["subnet-0a", "subnet-0b"]
  pagerduty_secret_arn      = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:pager-AbCdEf"
  alarm_topic_arns          = ["arn:aws:sns:eu-central-1:123456789012:alarms"]
  global_alarm_topic_arns   = ["arn:aws:sns:us-east-1:123456789012:alarms"]
  forwarder_alarm_topic_arn = "arn:aws:sns:REGION:123456789012:alarms"
}

run "an_organization" {
  assert {
    condition     = [for id in regexall("\\[\\[account\\]\\]\nid = \"([0-9]+)\"", output.config) : id[0]] == ["111122223333", "444455556666"]
    error_message = "The configuration does not name every account but the service's own."
  }

  assert {
    condition     = strcontains(output.config, "name = \"models \\\"prod\\\"\"\ngroup = \"prod\"\nrole_arn = \"arn:aws:iam::111122223333:role/bedrock-watch-member\"\nexternal_id = \"bedrock-watch-0123\"\nregions = [\"eu-central-1\",\"us-east-1\"]")
    error_message = "An account has not its name, group, role, external id and regions."
  }

  assert {
    condition     = length(regexall("\\[\\[account_group\\]\\]\nname = \"prod\"", output.config)) == 1
    error_message = "A group is missing, or is there twice."
  }

  assert {
    condition     = strcontains(output.config, "routing_key = \"$${PAGERDUTY_ROUTING_KEY}\"")
    error_message = "The key of PagerDuty is not taken from the environment."
  }

  assert {
    condition = (
      aws_cloudformation_stack_set.forwarder.parameters.BusArn == output.bus_arn &&
      aws_cloudformation_stack_set.forwarder.parameters.RoleRegion == var.region &&
      aws_cloudformation_stack_set.forwarder.parameters.AlarmTopicArn == var.forwarder_alarm_topic_arn
    )
    error_message = "Forwarders do not get what they need to know."
  }

  assert {
    condition     = keys(aws_cloudformation_stack_set_instance.forwarder) == ["eu-central-1", "us-east-1"]
    error_message = "A watched region has no forwarder."
  }
}
