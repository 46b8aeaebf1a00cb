//! The nine tenths that have nothing to do with Bedrock.

use rand::Rng;

use super::{
    Event,
    words::{hex, key_id, pick, push, uuid},
};

/// Services in falling frequency, each with the names of its events.
const SERVICES: [(&str, &[&str]); 12] = [
    (
        "s3.amazonaws.com",
        &[
            "ListBuckets",
            "GetBucketAcl",
            "GetBucketPolicyStatus",
            "GetBucketEncryption",
            "HeadBucket",
            "PutObject",
            "GetObject",
            "GetBucketLocation",
        ],
    ),
    ("sts.amazonaws.com", &["AssumeRole", "GetCallerIdentity", "AssumeRoleWithWebIdentity", "AssumeRole"]),
    ("kms.amazonaws.com", &["Decrypt", "GenerateDataKey", "Encrypt", "DescribeKey"]),
    (
        "ec2.amazonaws.com",
        &[
            "DescribeInstances",
            "DescribeSecurityGroups",
            "DescribeNetworkInterfaces",
            "DescribeVolumes",
            "DescribeTags",
        ],
    ),
    ("logs.amazonaws.com", &["CreateLogStream", "DescribeLogGroups", "CreateLogGroup", "FilterLogEvents"]),
    ("dynamodb.amazonaws.com", &["DescribeTable", "ListTables", "DescribeContinuousBackups"]),
    ("lambda.amazonaws.com", &["ListFunctions20150331", "GetFunction20150331v2", "Invoke"]),
    ("ssm.amazonaws.com", &["UpdateInstanceInformation", "GetParameter", "DescribeInstanceInformation"]),
    ("ecs.amazonaws.com", &["DescribeServices", "SubmitTaskStateChange", "DescribeTasks"]),
    ("elasticloadbalancing.amazonaws.com", &["DescribeTargetHealth", "DescribeLoadBalancers"]),
    ("secretsmanager.amazonaws.com", &["GetSecretValue", "DescribeSecret"]),
    ("monitoring.amazonaws.com", &["DescribeAlarms", "GetMetricData"]),
];

/// An event of some other service.
pub(super) fn unrelated(random: &mut impl Rng, region: &str, account: &str) -> Event {
    // Exponential with rate 0.45: each service about two thirds as frequent as the one before.
    let rank = (0..SERVICES.len().saturating_sub(1)).find(|_| random.random_bool(0.362));
    let last = SERVICES.len().saturating_sub(1);
    let (service, names) = SERVICES.get(rank.unwrap_or(last)).copied().unwrap_or(("s3.amazonaws.com", &["GetObject"]));
    let name = pick(random, names);
    let mut event = Event::new(service, name, String::new(), "null".to_owned(), true);
    match service {
        "s3.amazonaws.com" => s3(random, region, account, &mut event),
        "sts.amazonaws.com" => sts(random, account, &mut event),
        "kms.amazonaws.com" => kms(random, region, account, &mut event),
        "ec2.amazonaws.com" => ec2(random, &mut event),
        _ => any(random, &mut event),
    }
    event
}

fn s3(random: &mut impl Rng, region: &str, account: &str, event: &mut Event) {
    let bucket = format!("corp-data-lake-{}", random.random_range(0..500));
    let rest = if event.name.ends_with("Object") {
        format!(
            r#""key":"raw/year=2026/month=11/day=01/hour={:02}/part-{:05}-{}.c000.snappy.parquet""#,
            random.random_range(0..24),
            random.random_range(0..99_999),
            uuid(random)
        )
    } else {
        r#""acl":"""#.to_owned()
    };
    event.request = format!(r#"{{"bucketName":"{bucket}","Host":"{bucket}.s3.{region}.amazonaws.com",{rest}}}"#);
    event.additional = format!(
        r#""additionalEventData":{{"SignatureVersion":"SigV4","CipherSuite":"TLS_AES_128_GCM_SHA256","bytesTransferredIn":0,"AuthenticationMethod":"AuthHeader","x-amz-id-2":"{}/{}=","bytesTransferredOut":{}}},"#,
        hex(random, 40),
        hex(random, 30),
        random.random_range(100..900_000)
    );
    event.resources = format!(
        r#""resources":[{{"accountId":"{account}","type":"AWS::S3::Bucket","ARN":"arn:aws:s3:::{bucket}"}},{{"accountId":"{account}","type":"AWS::S3::Object","ARNPrefix":"arn:aws:s3:::{bucket}/"}}],"#
    );
}

fn sts(random: &mut impl Rng, account: &str, event: &mut Event) {
    let role = format!(
        "arn:aws:iam::{account}:role/{}-{}",
        pick(random, &["deploy", "readonly", "etl", "eks-irsa"]),
        random.random_range(0..99)
    );
    event.request =
        format!(r#"{{"roleArn":"{role}","roleSessionName":"session-{}","durationSeconds":3600}}"#, hex(random, 12));
    let token_digits = random.random_range(200..620);
    event.response = format!(
        r#"{{"credentials":{{"accessKeyId":"{}","sessionToken":"IQoJb3JpZ2luX2VjE{}","expiration":"Nov 1, 2026, 5:14:02 PM"}},"assumedRoleUser":{{"assumedRoleId":"{}:s","arn":"arn:aws:sts::{account}:assumed-role/x/s"}}}}"#,
        key_id(random, "ASIA"),
        hex(random, token_digits),
        key_id(random, "AROA")
    );
    event.resources = format!(r#""resources":[{{"accountId":"{account}","type":"AWS::IAM::Role","ARN":"{role}"}}],"#);
}

fn kms(random: &mut impl Rng, region: &str, account: &str, event: &mut Event) {
    event.request = format!(
        r#"{{"encryptionContext":{{"aws:s3:arn":"arn:aws:s3:::corp-data-lake-{}/raw/{}","SecretARN":"arn:aws:secretsmanager:{region}:{account}:secret:prod/app-{}"}},"encryptionAlgorithm":"SYMMETRIC_DEFAULT","keySpec":"AES_256"}}"#,
        random.random_range(0..500),
        hex(random, 20),
        random.random_range(0..99)
    );
    event.resources = format!(
        r#""resources":[{{"accountId":"{account}","type":"AWS::KMS::Key","ARN":"arn:aws:kms:{region}:{account}:key/{}"}}],"#,
        uuid(random)
    );
}

fn ec2(random: &mut impl Rng, event: &mut Event) {
    let mut instances = String::new();
    for index in 0..random.random_range(0..9) {
        let comma = if index > 0 { "," } else { "" };
        let id = hex(random, 16);
        push(&mut instances, format_args!(r#"{comma}{{"instanceId":"i-0{id}"}}"#));
    }
    event.request = format!(
        r#"{{"maxResults":1000,"instancesSet":{{"items":[{instances}]}},"filterSet":{{"items":[{{"name":"tag:Environment","valueSet":{{"items":[{{"value":"prod"}}]}}}},{{"name":"instance-state-name","valueSet":{{"items":[{{"value":"running"}},{{"value":"pending"}}]}}}}]}}}}"#
    );
}

fn any(random: &mut impl Rng, event: &mut Event) {
    let mut tags = String::new();
    for index in 0..random.random_range(0..5) {
        let comma = if index > 0 { "," } else { "" };
        let key = pick(random, &["Name", "Environment", "CostCenter", "Team", "Owner", "Project"]);
        let value = pick(random, &["prod", "staging", "ml-platform", "1234-5678", "alice@example.com"]);
        push(&mut tags, format_args!(r#"{comma}{{"Key":"{key}","Value":"{value}"}}"#));
    }
    let mut values = String::new();
    for index in 0..random.random_range(0..12) {
        let comma = if index > 0 { "," } else { "" };
        let value = hex(random, 8);
        push(&mut values, format_args!(r#"{comma}"{value}""#));
    }
    let short = event.service.split('.').next().unwrap_or_default();
    event.request = format!(
        r#"{{"name":"/aws/{short}/app-{}","logGroupName":"/aws/lambda/{}","includes":["tags","arn"],"tags":[{tags}],"nested":{{"filter":{{"values":[{values}]}}}}}}"#,
        random.random_range(0..400),
        hex(random, 8)
    );
    if random.random_bool(0.4) {
        let digits = random.random_range(20..300);
        // It needs unescaping and holds letters beyond ASCII.
        event.response = format!(
            r#"{{"requestId":"{}","description":"Completed \"OK\" for resource\nline2 été {}"}}"#,
            uuid(random),
            hex(random, digits)
        );
    }
}
