//! The vocabulary of the records, and random pieces of it.

use std::fmt::Write as _;

use rand::Rng;

pub(super) const REGIONS: [&str; 6] =
    ["us-east-1", "us-east-1", "us-east-1", "us-west-2", "eu-west-1", "ap-southeast-2"];

/// `{}` stands for the event's name.
pub(super) const USER_AGENTS: [&str; 5] = [
    "aws-cli/2.31.11 md/awscrt#0.27.6 ua/2.1 os/linux#6.1.0-37-amd64 md/arch#x86_64 lang/python#3.13.7 md/pyimpl#CPython m/N,b,Z,E cfg/retry-mode#standard md/installer#exe md/prompt#off md/command#{}",
    "Boto3/1.40.55 md/Botocore#1.40.55 ua/2.1 os/linux#5.10.240-238.959.amzn2.x86_64 md/arch#x86_64 lang/python#3.12.11 md/pyimpl#CPython m/n,Z,b,D cfg/retry-mode#legacy exec-env/AWS_Lambda_python3.12 Botocore/1.40.55",
    "aws-sdk-java/2.33.9 md/io#sync md/http#Apache ua/2.1 os/Linux#5.15.0-1084-aws lang/java#17.0.16 md/OpenJDK_64-Bit_Server_VM#17.0.16+8-LTS md/vendor#Amazon.com_Inc. md/en_US m/D,E,N",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "APN/1.0 HashiCorp/1.0 Terraform/1.9.8 (+https://www.terraform.io) terraform-provider-aws/6.17.0 (+https://registry.terraform.io/providers/hashicorp/aws) aws-sdk-go-v2/1.39.2 ua/2.1 os/linux lang/go#1.24.6 md/GOOS#linux md/GOARCH#amd64 api/ec2#1.254.1",
];

pub(super) const MODELS: [&str; 6] = [
    "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "us.anthropic.claude-haiku-4-5-20251001-v1:0",
    "amazon.nova-pro-v1:0",
    "meta.llama3-3-70b-instruct-v1:0",
    "amazon.titan-embed-text-v2:0",
    "mistral.mistral-large-2407-v1:0",
];

/// One of `choices`.
pub(super) fn pick<'a>(random: &mut impl Rng, choices: &[&'a str]) -> &'a str {
    choices.get(random.random_range(0..choices.len())).copied().unwrap_or_default()
}

/// `digits` hexadecimal digits.
pub(super) fn hex(random: &mut impl Rng, digits: usize) -> String {
    let mut text = String::with_capacity(digits + 16);
    while text.len() < digits {
        push(&mut text, format_args!("{:016x}", random.random::<u64>()));
    }
    text.truncate(digits);
    text
}

/// A random UUID.
pub(super) fn uuid(random: &mut impl Rng) -> String {
    let (high, low) = (random.random::<u64>(), random.random::<u64>());
    let mut text = String::with_capacity(36);
    push(
        &mut text,
        format_args!(
            "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        ),
    );
    text
}

/// An access key or unique id with its prefix, such as `ASIA` or `AROA`.
pub(super) fn key_id(random: &mut impl Rng, prefix: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let mut text = String::with_capacity(20);
    text.push_str(prefix);
    let mut bits = random.random::<u128>();
    for _ in 0..16 {
        let index = usize::try_from(bits & 31).unwrap_or_default();
        text.push(char::from(LETTERS.get(index).copied().unwrap_or(b'A')));
        bits >>= 5;
    }
    text
}

/// Appends formatted text; writing to a string cannot fail.
pub(super) fn push(text: &mut String, what: std::fmt::Arguments<'_>) {
    let written = text.write_fmt(what);
    debug_assert!(written.is_ok(), "a string takes everything");
}
