//! Random records: valid ones, ugly ones and broken ones, the same for the same seed.

use std::fmt::Write;

/// A small generator of random numbers (splitmix64), so that a seed is all there is to a case.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn pick<'t>(&mut self, choices: &[&'t str]) -> &'t str {
        choices[self.below(choices.len())]
    }
}

/// How strange the records are.
#[derive(Clone, Copy)]
pub(crate) struct Strangeness {
    /// Percent of fields that are missing, null, repeated or of a wrong type.
    pub(crate) fields: usize,
    /// Percent of strings written with escapes.
    pub(crate) escapes: usize,
    /// Percent of records damaged in a byte or cut short.
    pub(crate) damage: usize,
}

/// One record in any single-record form.
pub(crate) fn record(random: &mut Random, strange: Strangeness) -> Vec<u8> {
    let mut writer = Writer { random, strange };
    let text = match writer.random.below(10) {
        0..4 => writer.call(true),
        4..8 => {
            let call = writer.call(true);
            writer.envelope("AWS API Call via CloudTrail", "aws.ec2", &call)
        }
        8 => {
            let detail = writer.job_detail();
            writer.envelope("Model Customization Job State Change", "aws.bedrock", &detail)
        }
        _ => {
            let detail = if writer.random.percent(50) { writer.job_detail() } else { writer.call(false) };
            writer.envelope("Batch Inference Job State Change", "aws.bedrock", &detail)
        }
    };
    let mut bytes = text.into_bytes();
    if random.percent(strange.damage) && !bytes.is_empty() {
        match random.below(3) {
            0 => bytes.truncate(random.below(bytes.len())),
            1 => {
                let at = random.below(bytes.len());
                const DAMAGE: &[u8] = b"{}[]\",:\\ue0x\n\x00\xff";
                bytes[at] = DAMAGE[random.below(DAMAGE.len())];
            }
            _ => {
                let at = random.below(bytes.len());
                bytes.remove(at);
            }
        }
    }
    bytes
}

struct Writer<'r> {
    random: &'r mut Random,
    strange: Strangeness,
}

impl Writer<'_> {
    fn call(&mut self, with_sections: bool) -> String {
        let time = self.random.pick(&[
            "2026-11-22T05:39:00Z",
            "2026-11-22T05:39:59.0000000Z",
            "2026-11-22T05:39:00+02:00",
            "2023-07-10T11:42:36Z",
            "yesterday",
        ]);
        let source = self.random.pick(&["bedrock.amazonaws.com", "ec2.amazonaws.com", "Service.Ünïcode"]);
        let name = self.random.pick(&["InvokeModel", "DeleteSecurityGroup", "DescribeInstances", "GetObject"]);
        let account = self.random.pick(&["111122223333", "444455556666", ""]);
        let mut fields = vec![
            ("eventVersion", self.string("1.11")),
            ("eventTime", self.string(time)),
            ("eventSource", self.string(source)),
            ("eventName", self.string(name)),
            ("eventID", self.string("11111111-2222-3333-4444-555555555555")),
            ("awsRegion", self.string("us-east-1")),
            ("sourceIPAddress", self.string("AWS Internal")),
            ("userAgent", self.string("a \"quoted\" agent\\with/slashes")),
            ("recipientAccountId", self.string(account)),
            ("requestID", self.string("r-1")),
        ];
        let mut add = |chance, key, value: String, random: &mut Random| {
            if random.percent(chance) {
                fields.push((key, value));
            }
        };
        let identity = self.identity();
        add(90, "userIdentity", identity, self.random);
        let error = self.string("Client.DependencyViolation");
        add(30, "errorCode", error, self.random);
        add(20, "sessionCredentialFromConsole", "\"true\"".to_owned(), self.random);
        add(20, "detail", "{\"x\":1}".to_owned(), self.random);
        if with_sections {
            let nested = self.section();
            add(70, "requestParameters", nested, self.random);
            let nested = self.section();
            add(50, "additionalEventData", nested, self.random);
            add(30, "responseElements", "null".to_owned(), self.random);
            add(20, "resources", "[{\"ARN\":\"arn:aws:kms:::key\"},null,3]".to_owned(), self.random);
        }
        self.object(fields)
    }

    /// A section, sometimes with what looks like a record inside.
    fn section(&mut self) -> String {
        match self.random.below(6) {
            0 => self.call(false),
            1 => {
                let inner = self.call(false);
                let fields = vec![("record", inner), ("callWithBearerToken", "true".to_owned())];
                self.object(fields)
            }
            2 => {
                let inner = self.call(false);
                let fields = vec![("message", self.string(&inner))];
                self.object(fields)
            }
            3 => "{\"modelId\":\"us.amazon.nova-pro-v1:0\",\"recipientAccountId\":\"999\"}".to_owned(),
            4 => "[[],{},[{}],-1.5e3,true,\"}{\"]".to_owned(),
            _ => "null".to_owned(),
        }
    }

    fn identity(&mut self) -> String {
        let kind = self.random.pick(&["IAMUser", "AssumedRole", "AWSService", "Root", "AWSAccount"]);
        let fields = vec![
            ("type", self.string(kind)),
            ("arn", self.string("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_A/eve")),
            ("accountId", self.string("777788889999")),
            ("principalId", self.string("AROAX:eve")),
            ("accessKeyId", self.string("AKIAIOSFODNN7EXAMPLE")),
            ("invokedBy", self.string("config.amazonaws.com")),
            ("sessionContext", "{\"sessionIssuer\":{},\"attributes\":{\"a\":[1]}}".to_owned()),
        ];
        self.object(fields)
    }

    fn envelope(&mut self, detail_type: &str, source: &str, detail: &str) -> String {
        let fields = vec![
            ("version", self.string("0")),
            ("id", self.string("envelope-1")),
            ("detail-type", self.string(detail_type)),
            ("source", self.string(source)),
            ("account", self.string("111122223333")),
            ("time", self.string("2026-11-22T05:39:00Z")),
            ("region", self.string("us-east-1")),
            ("resources", "[\"arn:aws:bedrock:::job\"]".to_owned()),
            ("detail", detail.to_owned()),
        ];
        // Mostly as EventBridge writes it.
        if self.random.percent(60) { self.object_in_order(fields) } else { self.object(fields) }
    }

    fn job_detail(&mut self) -> String {
        let fields = vec![
            ("jobArn", self.string("arn:aws:bedrock:::job")),
            ("jobStatus", self.string("Completed")),
            ("creationTime", self.string("2026-11-22T05:00:00Z")),
            ("endTime", "1795325940".to_owned()),
        ];
        self.object(fields)
    }

    fn object(&mut self, mut fields: Vec<(&'static str, String)>) -> String {
        for index in (1..fields.len()).rev() {
            fields.swap(index, self.random.below(index + 1));
        }
        self.object_in_order(fields)
    }

    fn object_in_order(&mut self, fields: Vec<(&'static str, String)>) -> String {
        let mut members = Vec::new();
        for (key, value) in fields {
            let value = if self.random.percent(self.strange.fields) {
                match self.random.below(6) {
                    0 => continue,
                    1 => "null".to_owned(),
                    2 => "12".to_owned(),
                    3 => "[\"list\"]".to_owned(),
                    4 => {
                        members.push(self.member(key, "\"repeated\""));
                        value
                    }
                    _ => "\"\"".to_owned(),
                }
            } else {
                value
            };
            members.push(self.member(key, &value));
        }
        format!("{{{}}}", members.join(if self.random.percent(20) { " ,\n" } else { "," }))
    }

    fn member(&mut self, key: &str, value: &str) -> String {
        let (before, after) = self.pick_space();
        format!("{}{before}:{after}{value}", self.string(key))
    }

    fn pick_space(&mut self) -> (&'static str, &'static str) {
        [("", ""), ("", ""), ("", " "), (" ", "\t"), ("\n", "\r\n ")][self.random.below(5)]
    }

    /// A JSON string, sometimes with characters written as escapes that need none.
    fn string(&mut self, text: &str) -> String {
        let with_escapes = self.random.percent(self.strange.escapes);
        let mut written = String::from("\"");
        for letter in text.chars() {
            match letter {
                '"' => written.push_str("\\\""),
                '\\' => written.push_str("\\\\"),
                '\n' => written.push_str("\\n"),
                '/' if with_escapes && self.random.percent(30) => written.push_str("\\/"),
                _ if with_escapes && self.random.percent(10) && u32::from(letter) < 0x1_0000 => {
                    write!(written, "\\u{:04x}", u32::from(letter)).unwrap();
                }
                _ if u32::from(letter) < 0x20 => write!(written, "\\u{:04x}", u32::from(letter)).unwrap(),
                _ => written.push(letter),
            }
        }
        written.push('"');
        written
    }
}
