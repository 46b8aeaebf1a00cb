//! The quick way of reading answers against the SDK's own, on random answers and on damaged ones.

use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;

use super::*;

type Read<T> = Result<T, String>;

fn response(body: &str, content_type: &str) -> Response {
    let mut response = Response::new(StatusCode::try_from(200).unwrap(), SdkBody::from(body));
    response.headers_mut().insert("content-type", content_type.to_owned());
    response
}

/// What a protocol reads.
fn answer(protocol: &impl ClientProtocolInner<Response = Response>, response: &Response) -> Read<GetRecordsOutput> {
    let config = ConfigBag::base();
    let mut reader = protocol.deserialize_response(response, GetRecordsOutput::SCHEMA, &config).unwrap();
    GetRecordsOutput::deserialize(&mut *reader).map_err(|error| error.to_string())
}

fn event(protocol: &impl ClientProtocolInner, payload: &str) -> Read<SubscribeToShardEvent> {
    let mut reader = protocol.payload_codec().unwrap().create_deserializer(payload.as_bytes());
    SubscribeToShardEvent::deserialize(&mut *reader).map_err(|error| error.to_string())
}

/// What is read without the SDK's reader of the whole.
fn quickly(body: &str) -> Read<GetRecordsOutput> {
    let codec = Arc::new(JsonCodec::default());
    let never = DynCodec::create_deserializer(&*codec, b"not read");
    let mut reader = RecordsJson::new(body.as_bytes(), Arc::clone(&codec), never);
    GetRecordsOutput::deserialize(&mut reader).map_err(|error| error.to_string())
}

/// Both protocols read the same, or fail with the same words.
fn same(body: &str, about: &str) {
    let (wire, sdk) = (Wire::new(), AwsJsonRpcProtocol::aws_json_1_1().with_default_namespace(NAMESPACE));
    let response = response(body, CONTENT_TYPE);
    let expected = answer(&sdk, &response);
    assert_eq!(answer(&wire, &response), expected, "{about}: {body}");
    assert_eq!(event(&wire, body), event(&sdk, body), "{about}: {body}");
    if let Ok(quick) = quickly(body) {
        assert_eq!(Ok(quick), expected, "{about}: read quickly, {body}");
    }
}

/// Writes answers at random: any members in any order, spaces, escapes, numbers of every form, what may be null.
struct Writer {
    random: fastrand::Rng,
    text: String,
}

/// A member's name, and what writes its value.
type Member = (&'static str, fn(&mut Writer));

impl Writer {
    fn new(seed: u64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), text: String::new() }
    }

    fn one_of(&mut self, texts: &[&str]) {
        let text = self.random.choice(texts).unwrap();
        self.text.push_str(text);
    }

    fn space(&mut self) {
        if self.random.u8(..) < 20 {
            self.one_of(&[" ", "\n", "\t\r", "  "]);
        }
    }

    fn between(&mut self, (begin, end): (char, char), count: usize, mut write: impl FnMut(&mut Self, usize)) {
        self.space();
        self.text.push(begin);
        for index in 0..count {
            self.text.push_str(if index > 0 { "," } else { "" });
            self.space();
            write(self, index);
            self.space();
        }
        self.text.push(end);
    }

    /// A structure of some of these members, and perhaps of one that nobody knows.
    fn structure(&mut self, members: &[Member]) {
        let mut members = members.to_vec();
        if self.random.u8(..) < 10 {
            members.push(("Later", |writer| {
                writer.one_of(&["true", "\"\"", "{\"a\":[1,{}]}", "[[],\"x\\\"\"]", "-1.5e-3", "null"]);
            }));
        }
        if self.random.u8(..) < 10 {
            members.push(("__type", |writer| writer.one_of(&["\"com.amazonaws.kinesis#Record\""])));
        }
        self.random.shuffle(&mut members);
        members.retain(|_| self.random.u8(..) > 15);
        self.between(('{', '}'), members.len(), |writer, index| {
            let (name, value) = members[index];
            writer.text.extend(["\"", name, "\""]);
            writer.space();
            writer.text.push(':');
            writer.space();
            if writer.random.u8(..) < 6 { writer.text.push_str("null") } else { value(writer) }
        });
    }

    fn string(&mut self) {
        let length = self.random.usize(..70);
        self.text.push('"');
        for _ in 0..length {
            match self.random.u8(..) {
                0 => self.one_of(&["\\\"", "\\\\", "\\u0041", "\\ud83d\\ude00", "\\n", "\\/", "é", "😀"]),
                _ => self.text.push(char::from(self.random.alphanumeric() as u8)),
            }
        }
        self.text.push('"');
    }

    fn data(&mut self) {
        let length = self.random.usize(..200);
        let bytes: Vec<u8> = (0..length).map(|_| self.random.u8(..)).collect();
        let mut base64 = aws_smithy_types::base64::encode(bytes);
        match self.random.u8(..) {
            0..10 => base64 = base64.replace('/', "\\/"),
            10..15 => base64 = base64.replace('=', ""),
            _ => {}
        }
        self.text.extend(["\"", &*base64, "\""]);
    }

    fn number(&mut self) {
        self.one_of(&["0", "17", "-3", "86400000", "9223372036854775807"]);
        if self.random.u8(..) < 3 {
            self.one_of(&[".5", "e3", "00000000000000"]);
        }
    }

    fn time(&mut self) {
        self.one_of(&[
            "1.795318114123E9",
            "1795318114.5",
            "1795318114",
            "-1.5",
            "1.7953181140009999E9",
            "\"2026-11-22\"",
        ]);
    }

    fn record(&mut self) {
        self.structure(&[
            ("SequenceNumber", Self::string),
            ("ApproximateArrivalTimestamp", Self::time),
            ("Data", Self::data),
            ("PartitionKey", Self::string),
            ("EncryptionType", |writer| writer.one_of(&["\"NONE\"", "\"KMS\"", "\"NEW\""])),
        ]);
    }

    fn child(&mut self) {
        self.structure(&[
            ("ShardId", Self::string),
            ("ParentShards", |writer| {
                let count = writer.random.usize(..3);
                writer.between(('[', ']'), count, |writer, _| writer.string());
            }),
            ("HashKeyRange", |writer| {
                writer.structure(&[("StartingHashKey", Self::string), ("EndingHashKey", Self::string)]);
            }),
        ]);
    }

    fn answer(mut self) -> String {
        self.structure(&[
            ("Records", |writer| {
                let count = writer.random.usize(..5);
                writer.between(('[', ']'), count, |writer, _| writer.record());
            }),
            ("NextShardIterator", Self::string),
            ("ContinuationSequenceNumber", Self::string),
            ("MillisBehindLatest", Self::number),
            ("ChildShards", |writer| {
                let count = writer.random.usize(..3);
                writer.between(('[', ']'), count, |writer, _| writer.child());
            }),
        ]);
        self.space();
        self.text
    }
}

#[test]
fn reads_as_the_sdk_does() {
    let (mut quick, mut read) = (0, 0);
    for seed in 0..6_000 {
        let body = Writer::new(seed).answer();
        same(&body, &format!("seed {seed}"));
        let (wire, response) = (Wire::new(), response(&body, CONTENT_TYPE));
        read += usize::from(answer(&wire, &response).is_ok());
        quick += usize::from(quickly(&body).is_ok());
    }
    assert!(read > 4_000, "{read} answers can be read");
    assert_eq!(quick, read, "what can be read is read quickly");
}

#[test]
fn damaged_answers_fail_as_with_the_sdk() {
    for seed in 0..20_000 {
        let body = Writer::new(seed % 500).answer();
        let mut random = fastrand::Rng::with_seed(seed);
        let mut bytes = body.into_bytes();
        for _ in 0..random.usize(1..4) {
            let at = random.usize(..bytes.len());
            let odd = *random.choice(b"\"\\{}[],:=/ null0e.A-+\x00\x7f\xc3").unwrap();
            match random.u8(..4) {
                0 => bytes.truncate(at.max(1)),
                1 => bytes.insert(at, odd),
                2 => drop(bytes.remove(at)),
                _ => bytes[at] = odd,
            }
            if bytes.is_empty() {
                break;
            }
        }
        same(&String::from_utf8_lossy(&bytes), &format!("seed {seed}"));
    }
    for body in ["", " ", "null", "[]", "{}", "{}{}", "<html>", "{\"Records\":null}", "{\"Records\":[null]}"] {
        same(body, "by hand");
    }
}

#[test]
fn leaves_to_the_sdk_what_it_does_not_know() {
    let body = r#"{"Records":[{"SequenceNumber":"1","Data":"e30="}]}"#;
    let sdk = AwsJsonRpcProtocol::aws_json_1_1();
    for content_type in ["application/x-amz-cbor-1.1", "application/json", ""] {
        let response = response(body, content_type);
        assert_eq!(answer(&Wire::new(), &response), answer(&sdk, &response));
    }
    // A name with an escape: the SDK knows it, and this need not.
    let escaped = body.replace("Data", "D\\u0061ta");
    assert!(quickly(&escaped).is_err());
    let read = answer(&Wire::new(), &response(&escaped, CONTENT_TYPE)).unwrap();
    assert_eq!(read.records[0].data.as_ref(), b"{}");
}
