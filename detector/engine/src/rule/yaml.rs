//! YAML with places: each document of a file as a tree that remembers where everything stands.
//!
//! Rule files are untrusted: their length, nesting and number of values (after aliases are copied in) are limited.
//! Scalars are read as `rsigma-parser` reads them (YAML 1.2 core schema). Deliberately no tags but `!!str`, and no
//! merge keys.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Tag};

use super::problem::{Place, Problems};

/// The longest file, in bytes.
const TEXT_MAX: usize = 256 * 1024;
/// The deepest nesting of lists and mappings.
const DEPTH_MAX: usize = 24;
/// The most values in a file, those that aliases repeat included.
const VALUES_MAX: usize = 20_000;

/// A value and where it begins.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) kind: Kind,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

/// A mapping's key and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) place: Place,
    pub(super) text: String,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind
    }
}

impl Node {
    /// The value under `key`, if this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|(known, _)| known.text == key).map(|(_, value)| value)
    }

    /// The entries, if this is a mapping.
    pub(super) fn entries(&self) -> Option<&[(Key, Self)]> {
        if let Kind::Map(entries) = &self.kind { Some(entries) } else { None }
    }

    /// The text, if this is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Kind::Text(text) = &self.kind { Some(text) } else { None }
    }

    /// What this is, for messages.
    pub(super) const fn noun(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Int(_) | Kind::Float(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

/// Reads the documents of a file; what is wrong with it goes to `problems`, and then there are none.
pub(super) fn documents(text: &str, problems: &mut Problems<'_>) -> Vec<Node> {
    if text.len() > TEXT_MAX {
        problems.add(Place::START, format!("the file has {} bytes; a rule file has at most {TEXT_MAX}", text.len()));
        return Vec::new();
    }
    match Reader::default().read(text) {
        Ok(documents) => documents,
        Err((place, message)) => {
            problems.add(place, message);
            Vec::new()
        }
    }
}

type Failure = (Place, String);

/// A list or mapping that is not closed yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<Key>,
}

#[derive(Default)]
struct Reader {
    documents: Vec<Node>,
    open: Vec<Open>,
    anchors: BTreeMap<usize, Node>,
    values: usize,
}

impl Reader {
    fn read(mut self, text: &str) -> Result<Vec<Node>, Failure> {
        for event in Parser::new_from_str(text) {
            let (event, span) = event
                .map_err(|error| (place_of(*error.marker()), format!("this is no valid YAML: {}", error.info())))?;
            self.take(event, place_of(span.start))?;
        }
        Ok(self.documents)
    }

    fn take(&mut self, event: Event<'_>, place: Place) -> Result<(), Failure> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let kind = scalar(&text, style, tag.as_deref()).map_err(|message| (place, message))?;
                self.close(Node { place, kind }, anchor, Some(&text))
            }
            Event::SequenceStart(anchor, _) => self.start(Node { place, kind: Kind::List(Vec::new()) }, anchor),
            Event::MappingStart(anchor, _) => self.start(Node { place, kind: Kind::Map(Vec::new()) }, anchor),
            Event::SequenceEnd | Event::MappingEnd => match self.open.pop() {
                Some(done) => self.close(done.node, done.anchor, None),
                None => Ok(()),
            },
            Event::Alias(anchor) => {
                let Some(found) = self.anchors.get(&anchor) else {
                    return Err((place, "this alias names an anchor that is not complete yet".to_owned()));
                };
                let node = Node { place, kind: found.kind.clone() };
                self.values = self.values.saturating_add(size(&node));
                if self.values > VALUES_MAX || depth(&node).saturating_add(self.open.len()) > DEPTH_MAX {
                    return Err((place, format!("aliases make this file larger than {VALUES_MAX} values")));
                }
                let text = node.text().map(str::to_owned);
                self.close(node, 0, text.as_deref())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn start(&mut self, node: Node, anchor: usize) -> Result<(), Failure> {
        if self.open.len() >= DEPTH_MAX {
            return Err((node.place, format!("nested deeper than {DEPTH_MAX} levels")));
        }
        self.open.push(Open { node, anchor, key: None });
        Ok(())
    }

    /// Puts a complete value where it belongs; `raw` is its text if it can be a key.
    fn close(&mut self, node: Node, anchor: usize, raw: Option<&str>) -> Result<(), Failure> {
        self.values = self.values.saturating_add(1);
        if self.values > VALUES_MAX {
            return Err((node.place, format!("the file has more than {VALUES_MAX} values")));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(parent) = self.open.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut parent.node.kind {
            Kind::List(elements) => elements.push(node),
            Kind::Map(entries) => match parent.key.take() {
                Some(key) => entries.push((key, node)),
                None => {
                    let Some(text) = raw else {
                        return Err((node.place, format!("{} cannot be a key; keys are texts", node.noun())));
                    };
                    if entries.iter().any(|(key, _)| key.text == text) {
                        return Err((node.place, format!("`{text}` is there twice; keep one")));
                    }
                    parent.key = Some(Key { place: node.place, text: text.to_owned() });
                }
            },
            _ => {}
        }
        Ok(())
    }
}

fn place_of(marker: saphyr_parser::Marker) -> Place {
    let number = |value: usize| u32::try_from(value).unwrap_or(u32::MAX);
    Place { line: number(marker.line()).max(1), column: number(marker.col()).saturating_add(1) }
}

fn size(node: &Node) -> usize {
    match &node.kind {
        Kind::List(elements) => elements.iter().map(size).fold(1, usize::saturating_add),
        Kind::Map(entries) => {
            entries.iter().map(|(_, value)| size(value).saturating_add(1)).fold(1, usize::saturating_add)
        }
        _ => 1,
    }
}

fn depth(node: &Node) -> usize {
    let below = match &node.kind {
        Kind::List(elements) => elements.iter().map(depth).max(),
        Kind::Map(entries) => entries.iter().map(|(_, value)| depth(value)).max(),
        _ => return 0,
    };
    below.unwrap_or(0).saturating_add(1)
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<Kind, String> {
    match tag {
        Some(tag) if tag.suffix == "str" => return Ok(Kind::Text(text.to_owned())),
        Some(tag) => return Err(format!("the tag `{tag}` is not supported; write the value without it")),
        None => {}
    }
    if style != ScalarStyle::Plain {
        return Ok(Kind::Text(text.to_owned()));
    }
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Kind::Null,
        "true" | "True" | "TRUE" => Kind::Bool(true),
        "false" | "False" | "FALSE" => Kind::Bool(false),
        _ => number(text).unwrap_or_else(|| Kind::Text(text.to_owned())),
    })
}

/// Numbers of the YAML 1.2 core schema; digits after a leading zero are a text (an account id, say).
fn number(text: &str) -> Option<Kind> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
        if let Some(digits) = digits.strip_prefix(prefix) {
            return i64::from_str_radix(&format!("{sign}{digits}"), radix).ok().map(Kind::Int);
        }
    }
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    if let Ok(whole) = format!("{sign}{digits}").parse() {
        return Some(Kind::Int(whole));
    }
    match digits {
        ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN" => None,
        _ => format!("{sign}{digits}").parse().ok().filter(|float: &f64| float.is_finite()).map(Kind::Float),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Node>, String> {
        let mut problems = Problems::new("f");
        let documents = documents(text, &mut problems);
        match problems.into_found().first() {
            Some(problem) => Err(problem.to_string()),
            None => Ok(documents),
        }
    }

    #[test]
    fn remembers_places() {
        let documents = read("a: 1\nb:\n  - x\n  - {c: 'y'}\n---\nd: |\n  text\n").unwrap();
        assert_eq!(documents.len(), 2);
        let list = documents[0].get("b").unwrap();
        let Kind::List(elements) = &list.kind else { panic!("{list:?}") };
        assert_eq!(elements[0].place, Place { line: 3, column: 5 });
        assert_eq!(elements[1].entries().unwrap()[0].0.place, Place { line: 4, column: 6 });
        assert_eq!(elements[1].get("c").unwrap().place, Place { line: 4, column: 9 });
        assert_eq!(documents[1].get("d").unwrap().text(), Some("text\n"));
    }

    #[test]
    fn reads_scalars_as_the_sigma_parser_does() {
        for text in [
            "1",
            "-1",
            "+1",
            "0",
            "007",
            "012345678901",
            "1.5",
            "-.5",
            "1e3",
            "0x1F",
            "0o17",
            "0b11",
            "-0x1F",
            "~",
            "null",
            "Null",
            "true",
            "True",
            "yes",
            "no",
            "on",
            "1_000",
            "abc",
            "''",
            "'1'",
            "\"true\"",
            "0x",
            "123456789012",
            "1.",
            ".5",
            "0.0",
            "--1",
            "+-1",
            "2026-01-01",
            "12:30:45",
        ] {
            let ours = read(&format!("k: {text}")).unwrap().remove(0);
            let rule =
                format!("title: t\nlogsource: {{product: aws}}\ndetection:\n  s:\n    k: {text}\n  condition: s\n");
            let theirs = rsigma_parser::parse_sigma_yaml(&rule).unwrap();
            let rsigma_parser::Detection::AllOf(items) = &theirs.rules[0].detection.named["s"] else { panic!() };
            let ours = match &ours.get("k").unwrap().kind {
                Kind::Null => "Null".to_owned(),
                Kind::Bool(value) => format!("Bool({value:?})"),
                Kind::Int(value) => format!("Integer({value:?})"),
                Kind::Float(value) => format!("Float({value:?})"),
                Kind::Text(value) => format!("String({value:?})"),
                other => format!("{other:?}"),
            };
            let theirs = match &items[0].values[0] {
                rsigma_parser::SigmaValue::String(value) => format!("String({:?})", value.original),
                other => format!("{other:?}"),
            };
            assert_eq!(ours, theirs, "{text}");
        }
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..9 {
            let before = level - 1;
            bomb.extend([format!(
                "a{level}: &a{level} [*a{before}, *a{before}, *a{before}, *a{before}, *a{before}]\n"
            )]);
        }
        assert!(read(&bomb).unwrap_err().contains("aliases make this file larger"));
        assert!(read(&"[".repeat(100_000)).is_err());
        assert!(read(&format!("{}x", "- ".repeat(1000))).unwrap_err().contains("nested deeper"));
        assert!(read(&"x".repeat(TEXT_MAX + 1)).unwrap_err().contains("bytes"));
        assert!(read("a: &a [*a]").unwrap_err().contains("not complete"));
        assert!(read(&"- x\n".repeat(VALUES_MAX + 1)).unwrap_err().contains("values"));
        assert_eq!(read("a: 1\na: 2").unwrap_err(), "f:2:1: `a` is there twice; keep one");
    }

    #[test]
    fn aliases_are_copied_in() {
        let documents = read("a: &x [1, 2]\nb: *x\n").unwrap();
        assert_eq!(documents[0].get("a"), documents[0].get("b"));
    }
}
