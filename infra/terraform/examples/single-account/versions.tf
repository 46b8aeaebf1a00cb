terraform {
  required_version = ">= 1.9, < 2.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # Keep the state where others find it, and encrypted: `terraform init -backend-config=...`
  # backend "s3" {}
}

provider "aws" {
  region = var.region

  default_tags {
    tags = { application = "bedrock-watch" }
  }
}

# IAM and other global services log here.
provider "aws" {
  alias  = "global"
  region = "us-east-1"

  default_tags {
    tags = { application = "bedrock-watch" }
  }
}
