//! Customization jobs in numbers, and the end of what they stand on.
//!
//! Each job has a security group of its own. Role and bucket are shared by the jobs of an account, a pair of subnets by a
//! hundred jobs, as they are where jobs run by the thousand.

use rand::Rng;

use super::{
    Event,
    words::{hex, uuid},
};

/// Where all of them run.
pub(super) const REGION: &str = "us-east-1";
/// Jobs that share their subnets.
const JOBS_PER_SUBNET: u64 = 100;

/// A job starts.
pub(super) fn start(random: &mut impl Rng, number: u64, account: &str) -> Event {
    let network = number / JOBS_PER_SUBNET;
    let request = format!(
        r#"{{"jobName":"ft-{number:08x}","customModelName":"custom-{number:08x}","roleArn":"arn:aws:iam::{account}:role/BedrockFT","baseModelIdentifier":"amazon.nova-lite-v1:0:300k","trainingDataConfig":{{"s3Uri":"s3://corp-ml-{account}/train/{}.jsonl"}},"outputDataConfig":{{"s3Uri":"s3://corp-ml-{account}/out/"}},"hyperParameters":{{"epochCount":"2","batchSize":"1","learningRate":"0.00001"}},"vpcConfig":{{"subnetIds":["subnet-0a{network:015x}","subnet-0b{network:015x}"],"securityGroupIds":["{}"]}},"clientRequestToken":"{}","customizationType":"FINE_TUNING"}}"#,
        hex(random, 10),
        group(number),
        uuid(random),
    );
    let response = format!(
        r#"{{"jobArn":"arn:aws:bedrock:{REGION}:{account}:model-customization-job/amazon.nova-lite-v1:0:300k/{number:012x}"}}"#
    );
    Event::new("bedrock.amazonaws.com", "CreateModelCustomizationJob", request, response, false)
}

/// The security group of the job of that number is deleted.
pub(super) fn delete_group(random: &mut impl Rng, number: u64) -> Event {
    let group = group(number);
    let request = format!(r#"{{"groupId":"{group}"}}"#);
    let response = format!(r#"{{"requestId":"{}","_return":true,"groupId":"{group}"}}"#, uuid(random));
    Event::new("ec2.amazonaws.com", "DeleteSecurityGroup", request, response, false)
}

fn group(number: u64) -> String {
    format!("sg-0{number:016x}")
}
