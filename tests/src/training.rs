//! Customization jobs and what they stand on, in an emulator of AWS.

#![expect(
    clippy::unwrap_used,
    reason = "a helper that fails fails its test; this is a library only so that tests share it"
)]

use std::sync::atomic::{AtomicU32, Ordering};

use aws_sdk_bedrock::types::{CustomizationType, OutputDataConfig, TrainingDataConfig, VpcConfig};
use bedrock_watch_aws::{Aws, Place};

/// One account and region in which jobs run. Clones are the same.
#[derive(Debug, Clone)]
pub struct Training {
    bedrock: aws_sdk_bedrock::Client,
    ec2: aws_sdk_ec2::Client,
}

/// A VPC with a subnet.
#[derive(Debug, Clone)]
pub struct Vpc {
    /// The VPC.
    pub id: String,
    /// Its subnet.
    pub subnet: String,
}

/// Names are unique within a test run.
static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Training {
    /// There.
    pub async fn at(aws: &Aws, account: &str, region: &str) -> Self {
        let place = Place { account: Some(account.to_owned()), region: region.to_owned() };
        let config = aws.at(&place).await;
        Self { bedrock: aws_sdk_bedrock::Client::new(&config), ec2: aws_sdk_ec2::Client::new(&config) }
    }

    /// Makes a VPC.
    pub async fn vpc(&self) -> Vpc {
        let vpc = self.ec2.create_vpc().cidr_block("10.0.0.0/16").send().await.unwrap().vpc.unwrap();
        let id = vpc.vpc_id.unwrap();
        let subnet = self.ec2.create_subnet().vpc_id(&id).cidr_block("10.0.1.0/24").send().await.unwrap();
        Vpc { id, subnet: subnet.subnet.unwrap().subnet_id.unwrap() }
    }

    /// Makes a security group.
    pub async fn group(&self, vpc: &Vpc) -> String {
        let name = format!("tuning-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let group = self.ec2.create_security_group().group_name(name).description("for jobs").vpc_id(&vpc.id);
        group.send().await.unwrap().group_id.unwrap()
    }

    /// Deletes one.
    pub async fn delete_group(&self, id: &str) {
        self.ec2.delete_security_group().group_id(id).send().await.unwrap();
    }

    /// Starts a job, without a VPC configuration if it names no subnet; returns its ARN.
    pub async fn job(&self, name: &str, subnets: &[&String], groups: &[&str]) -> String {
        let training = TrainingDataConfig::builder().s3_uri("s3://corp-ml/train.jsonl").build();
        let output = OutputDataConfig::builder().s3_uri("s3://corp-ml/out").build().unwrap();
        let mut job = self
            .bedrock
            .create_model_customization_job()
            .job_name(name)
            .custom_model_name(format!("{name}-model"))
            .role_arn("arn:aws:iam::123456789012:role/tuner")
            .base_model_identifier("amazon.titan-text-lite-v1")
            .customization_type(CustomizationType::FineTuning)
            .training_data_config(training)
            .output_data_config(output)
            .hyper_parameters("epochCount", "2");
        if !subnets.is_empty() {
            let subnets = subnets.iter().map(|subnet| (*subnet).clone()).collect();
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            let vpc = VpcConfig::builder().set_subnet_ids(Some(subnets)).set_security_group_ids(Some(groups));
            job = job.vpc_config(vpc.build().unwrap());
        }
        job.send().await.unwrap().job_arn
    }

    /// Stops a job.
    pub async fn stop(&self, job: &str) {
        self.bedrock.stop_model_customization_job().job_identifier(job).send().await.unwrap();
    }

    /// Switches invocation logging on, to a bucket.
    pub async fn log_to(&self, bucket: &str) {
        let bucket = aws_sdk_bedrock::types::S3Config::builder().bucket_name(bucket).build().unwrap();
        let config = aws_sdk_bedrock::types::LoggingConfig::builder().s3_config(bucket).build();
        self.bedrock.put_model_invocation_logging_configuration().logging_config(config).send().await.unwrap();
    }

    /// Switches it off.
    pub async fn stop_logging(&self) {
        self.bedrock.delete_model_invocation_logging_configuration().send().await.unwrap();
    }
}
