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

# The security account, in which the service runs.
provider "aws" {
  region = var.region

  default_tags {
    tags = { application = "bedrock-watch" }
  }
}

provider "aws" {
  alias  = "global"
  region = "us-east-1"

  default_tags {
    tags = { application = "bedrock-watch" }
  }
}

# The management account, or one that administers stack sets for it, which sends the forwarders into every account.
provider "aws" {
  alias   = "stack_sets"
  region  = var.region
  profile = var.stack_sets_profile

  default_tags {
    tags = { application = "bedrock-watch" }
  }
}
