terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
      # us-east-1, where IAM and other global services log.
      configuration_aliases = [aws.global]
    }
  }
}
