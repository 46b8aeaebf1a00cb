//! Random rules and events from a seed, small enough to collide often.

use serde_json::{Map, Value, json};

/// SplitMix64: the same numbers for the same seed, everywhere.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    pub(crate) fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }
}

/// Fields that hold one value in every event, so that they can be compared with one another.
const SCALARS: [&str; 5] = ["eventName", "eventSource", "errorCode", "userAgent", "requestParameters.one"];
const FIELDS: [&str; 12] = [
    "eventName",
    "eventSource",
    "errorCode",
    "userAgent",
    "userIdentity.type",
    "sourceIPAddress",
    "requestParameters.one",
    "requestParameters.list",
    "requestParameters.items.name",
    "requestParameters.items",
    "requestParameters.none",
    "detail.requestParameters.one",
];
const TEXTS: [&str; 22] = [
    "",
    "a",
    "A",
    "ab",
    "aB",
    "abc",
    "bab",
    "B",
    "a-b",
    "-a",
    "a b",
    "a*",
    "a\\b",
    "\u{e9}",
    "\u{c9}a",
    "10",
    "9.5",
    "true",
    "10.1.2.3",
    "192.168.0.9",
    "::1",
    "YWI=",
];
const PLAIN: [&str; 15] =
    ["a", "A", "ab", "aB", "bab", "", "\u{e9}", "10", "true", "a-b", "-a", "a\\*", "a\\\\b", "b\\?", "a b"];
const WILD: [&str; 10] = ["a*", "*b", "*a*", "a?", "?", "*", "a*b*", "\u{c9}*", "a\\**", "??*"];
const REGEXES: [&str; 8] = ["^a", "b$", "a.b", "A|B", "[ab]+", "^$", "(?i)^AB", "1\\d"];
const NETWORKS: [&str; 3] = ["10.0.0.0/8", "192.168.0.0/24", "::/64"];

/// A CloudTrail record, more or less.
pub(crate) fn event(random: &mut Random) -> Value {
    let mut record = Map::new();
    for field in ["eventName", "eventSource", "errorCode", "userAgent", "sourceIPAddress"] {
        if !random.chance(5) {
            record.insert(field.to_owned(), scalar(random));
        }
    }
    record.insert("userIdentity".to_owned(), json!({"type": random.pick(&TEXTS)}));
    let list: Vec<Value> = (0..random.below(3)).map(|_| scalar(random)).collect();
    let items: Vec<Value> = (0..random.below(3)).map(|_| json!({"name": scalar(random)})).collect();
    let mut parameters = json!({"list": list, "items": items});
    if !random.chance(4) {
        parameters["one"] = scalar(random);
    }
    let parameters = if random.chance(8) { Value::Null } else { parameters };
    record.insert("requestParameters".to_owned(), parameters);
    Value::Object(record)
}

fn scalar(random: &mut Random) -> Value {
    match random.below(12) {
        0 => Value::Null,
        1 => json!(random.chance(2)),
        2 => json!(random.below(12)),
        3 => json!(9.5),
        _ => json!(random.pick(&TEXTS)),
    }
}

/// A rule over the same fields. Left out, because rsigma 0.23 differs from the Sigma specification there:
/// - wildcards with `startswith` and `endswith`, which it does not anchor (nor do its wildcards match line breaks);
/// - `null` beside other values, which it never finds where the field is missing;
/// - `base64offset`, where it keeps characters that depend on what follows;
/// - keywords that are numbers, which it never finds, and `|all` without a field, which it compares with whole texts;
/// - `fieldref` between arrays, which it compares as wholes, and not element by element, and `fieldref|cased` between
///   a text and a number or boolean, which it finds different although they are written the same.
pub(crate) fn rule(random: &mut Random) -> String {
    let mut text = String::from("title: t\nlevel: low\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n");
    for name in ["s1", "s2", "s3"] {
        text += &format!("  {name}:\n");
        text += &search(random);
    }
    let conditions = [
        "s1",
        "s1 and s2",
        "s1 or s2",
        "s1 and not s2",
        "not s1",
        "1 of s*",
        "all of them",
        "2 of s*",
        "(s1 or s2) and s3",
        "not (s1 and s2) or s3",
        "any of them and not all of s*",
    ];
    text + &format!("  condition: {}\n", random.pick(&conditions))
}

/// A rule that asks for names and sources alone, so that nearly every condition has a bound.
pub(crate) fn rule_of_names(random: &mut Random) -> String {
    const MODIFIERS: [&str; 6] = ["", "", "|startswith", "|endswith", "|contains", "|contains|all"];
    const VALUES: [&str; 8] = ["a", "A", "ab", "b", "bab", "a-b", "a*", "*b"];
    let mut text = String::from("title: t\nlevel: low\nlogsource: {product: aws, service: cloudtrail}\ndetection:\n");
    for name in ["s1", "s2", "s3"] {
        text += &format!("  {name}:\n");
        let fields: &[&str] = random.pick(&[&["eventName"], &["eventSource"], &["eventSource", "eventName"]]);
        for field in fields {
            let modifier = random.pick(&MODIFIERS);
            let plain = if modifier.is_empty() { VALUES.len() } else { VALUES.len() - 2 };
            let count = 1 + random.below(2) + usize::from(modifier.ends_with("all"));
            let values: Vec<&str> = (0..count).map(|_| VALUES[random.below(plain)]).collect();
            text += &format!("    {field}{modifier}: ['{}']\n", values.join("', '"));
        }
    }
    let conditions =
        ["s1 and s2", "s1 or s2", "s1 and (s2 or s3)", "1 of s*", "all of them", "2 of s*", "s1 and not s2"];
    text + &format!("  condition: {}\n", random.pick(&conditions))
}

fn search(random: &mut Random) -> String {
    match random.below(8) {
        0 => (0..1 + random.below(2))
            .map(|_| {
                let choices: &[&str] = if random.chance(3) { &WILD } else { &PLAIN };
                format!("    - {}\n", quoted(random.pick(choices)))
            })
            .collect(),
        1 => (0..1 + random.below(2)).map(|_| format!("    - {}", item(random, "      "))).collect(),
        _ => {
            let first = item(random, "    ");
            let second = item(random, "    ");
            let key = |item: &str| item.trim_start_matches("detail.").split(':').next().map(str::to_owned);
            let same = key(&first) == key(&second);
            if same || random.chance(2) { format!("    {first}") } else { format!("    {first}    {second}") }
        }
    }
}

fn item(random: &mut Random, indent: &str) -> String {
    let modifiers = [
        "",
        "",
        "",
        "|contains",
        "|startswith",
        "|endswith",
        "|contains|all",
        "|all",
        "|cased",
        "|contains|cased",
        "|re",
        "|re|i",
        "|re|m|s",
        "|cidr",
        "|exists",
        "|gt",
        "|gte",
        "|lt",
        "|lte",
        "|neq",
        "|contains|neq",
        "|gte|neq",
        "|fieldref",
        "|fieldref|contains",
        "|fieldref|startswith",
        "|base64",
        "|base64|contains",
        "|windash",
        "|windash|contains",
    ];
    let modifier = random.pick(&modifiers);
    let field = if modifier.contains("fieldref") { random.pick(&SCALARS) } else { random.pick(&FIELDS) };
    // The oracle does not know that `detail.` means nothing.
    let several = modifier.contains("all") || (random.chance(2) && !modifier.contains("exists"));
    let count = if several { 2 + random.below(2) } else { 1 };
    let values: Vec<String> = (0..count).map(|_| value(random, modifier, several)).collect();
    match values.as_slice() {
        [one] => format!("{field}{modifier}: {one}\n"),
        several => {
            let lines: String = several.iter().map(|value| format!("{indent}  - {value}\n")).collect();
            format!("{field}{modifier}:\n{lines}")
        }
    }
}

fn value(random: &mut Random, modifier: &str, beside_others: bool) -> String {
    let plain = |random: &mut Random| quoted(random.pick(&PLAIN));
    match modifier.split('|').nth(1).unwrap_or("") {
        "re" => quoted(random.pick(&REGEXES)),
        "cidr" => quoted(random.pick(&NETWORKS)),
        "exists" => random.chance(2).to_string(),
        "gt" | "gte" | "lt" | "lte" => random.pick(&["9", "9.5", "10", "'3'"]).to_string(),
        "fieldref" => quoted(random.pick(&SCALARS)),
        "startswith" | "endswith" | "base64" | "windash" => plain(random),
        _ => match random.below(10) {
            0 if !beside_others => "null".to_owned(),
            1 => random.chance(2).to_string(),
            2 => random.below(12).to_string(),
            3 => "9.5".to_owned(),
            4..=6 => quoted(random.pick(&WILD)),
            _ => plain(random),
        },
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
