//! The language of CloudWatch Logs Insights, as far as the product writes it: whether a query is one that Insights takes.
//!
//! No parser of that language can be installed, so this is one of the documented grammar. Deliberately only the commands,
//! functions and operators that a search needs: what is not known here is refused, so whoever writes something new has
//! to look it up. What a regular expression says, and whether a field exists, is not asked.

use std::{iter::Peekable, slice::Iter};

/// The most records that `limit` may ask for.
const LIMIT_MAX: u32 = 10_000;
/// What makes one value of the records of a group.
const AGGREGATES: [&str; 10] =
    ["avg", "count", "count_distinct", "earliest", "latest", "max", "min", "pct", "stddev", "sum"];
/// What makes a value of the values of a record.
const FUNCTIONS: [&str; 9] =
    ["abs", "bin", "coalesce", "concat", "datefloor", "strlen", "substr", "tolower", "toupper"];
/// What is true or false by itself.
const QUESTIONS: [&str; 4] = ["isblank", "isempty", "ispresent", "strcontains"];
/// Words that cannot be fields.
const KEYWORDS: [&str; 9] = ["and", "as", "asc", "by", "desc", "in", "like", "not", "or"];

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    /// A field, a function or a keyword.
    Word(String),
    /// What stands between double quotes, unescaped.
    Text(String),
    /// What stands between slashes, as it is written.
    Pattern(String),
    /// A number with its unit, such as `10000` or `1h`.
    Number(String),
    Sign(&'static str),
}

/// Reads a query. Returns the texts it compares with: literals, and whole patterns (`/^...$/`) without their escapes.
///
/// # Errors
/// What Insights would refuse.
pub fn texts(query: &str) -> Result<Vec<String>, String> {
    let tokens = tokens(query)?;
    let mut parser = Parser { rest: tokens.iter().peekable() };
    parser.command()?;
    while parser.takes("|") {
        parser.command()?;
    }
    match parser.rest.next() {
        None => Ok(tokens.iter().filter_map(text).collect()),
        Some(other) => Err(format!("{other:?} follows a command that is complete")),
    }
}

fn text(token: &Token) -> Option<String> {
    match token {
        Token::Text(text) => Some(text.clone()),
        Token::Pattern(pattern) => pattern.strip_prefix('^')?.strip_suffix('$').and_then(meant),
        _ => None,
    }
}

/// The one text that a pattern without any freedom matches.
fn meant(pattern: &str) -> Option<String> {
    let mut meant = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next()? {
                'x' => {
                    let digits: String = characters.by_ref().skip(1).take_while(|one| *one != '}').collect();
                    meant.push(u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)?);
                }
                other => meant.push(other),
            },
            '.' | '*' | '+' | '?' | '|' | '(' | '[' | '{' | '^' | '$' => return None,
            other => meant.push(other),
        }
    }
    Some(meant)
}

fn tokens(query: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let behind = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match first {
            _ if first.is_whitespace() => behind,
            '#' => behind.split_once('\n').map_or("", |(_, lines)| lines),
            '"' | '/' => {
                let (inside, behind) = enclosed(behind, first)?;
                tokens.push(if first == '"' {
                    Token::Text(unescaped(inside))
                } else {
                    Token::Pattern(inside.to_owned())
                });
                behind
            }
            _ if first.is_ascii_alphabetic() || first == '@' || first == '_' => {
                let (word, behind) = run(rest, |one| one.is_ascii_alphanumeric() || "@_.".contains(one));
                tokens.push(Token::Word(word.to_owned()));
                behind
            }
            _ if first.is_ascii_digit() => {
                let (number, behind) = run(rest, |one| one.is_ascii_alphanumeric());
                tokens.push(Token::Number(number.to_owned()));
                behind
            }
            _ => {
                let signs = ["!=", "<=", ">=", "=~", "|", ",", "(", ")", "[", "]", "=", "<", ">", "*"];
                let known = signs.into_iter().find(|sign| rest.starts_with(sign));
                let sign = known.ok_or_else(|| format!("{first:?} means nothing here"))?;
                tokens.push(Token::Sign(sign));
                rest.get(sign.len()..).unwrap_or_default()
            }
        };
    }
    Ok(tokens)
}

/// What comes before the end of a literal or pattern, and what comes behind it; neither goes on in the next line.
fn enclosed(text: &str, end: char) -> Result<(&str, &str), String> {
    let mut escaped = false;
    for (place, character) in text.char_indices() {
        match character {
            '\n' => break,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == end => {
                let behind = text.get(place.saturating_add(end.len_utf8())..).unwrap_or_default();
                return Ok((text.get(..place).unwrap_or_default(), behind));
            }
            _ => {}
        }
    }
    Err(format!("{end} has no end in its line"))
}

fn unescaped(inside: &str) -> String {
    let mut text = String::new();
    let mut characters = inside.chars();
    while let Some(character) = characters.next() {
        text.extend(if character == '\\' { characters.next() } else { Some(character) });
    }
    text
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|one| !belongs(one)).unwrap_or(text.len()))
}

struct Parser<'a> {
    rest: Peekable<Iter<'a, Token>>,
}

impl Parser<'_> {
    fn command(&mut self) -> Result<(), String> {
        match self.word()?.as_str() {
            "fields" => self.list(|parser| parser.value().and_then(|()| parser.name())),
            "display" => self.list(Self::field),
            "filter" => self.any(),
            "stats" => {
                self.list(|parser| parser.aggregate().and_then(|()| parser.name()))?;
                if self.takes("by") { self.list(Self::value) } else { Ok(()) }
            }
            "sort" => self.list(|parser| {
                parser.field()?;
                let _either = parser.takes("asc") || parser.takes("desc");
                Ok(())
            }),
            "limit" => self.limit(),
            "parse" => {
                self.field()?;
                self.text()?;
                self.expect("as")?;
                self.list(Self::field)
            }
            other => Err(format!("{other} is no command")),
        }
    }

    fn limit(&mut self) -> Result<(), String> {
        match self.rest.next() {
            Some(Token::Number(number)) if number.parse().is_ok_and(|number| (1..=LIMIT_MAX).contains(&number)) => {
                Ok(())
            }
            other => Err(format!("limit takes a number up to {LIMIT_MAX}, and not {other:?}")),
        }
    }

    fn list(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), String>) -> Result<(), String> {
        element(self)?;
        while self.takes(",") {
            element(self)?;
        }
        Ok(())
    }

    fn any(&mut self) -> Result<(), String> {
        self.all()?;
        while self.takes("or") {
            self.all()?;
        }
        Ok(())
    }

    fn all(&mut self) -> Result<(), String> {
        self.condition()?;
        while self.takes("and") {
            self.condition()?;
        }
        Ok(())
    }

    fn condition(&mut self) -> Result<(), String> {
        if self.takes("not") {
            return self.condition();
        }
        if self.takes("(") {
            self.any()?;
            return self.expect(")");
        }
        let question = matches!(self.rest.peek(), Some(Token::Word(word)) if QUESTIONS.contains(&word.as_str()));
        if question {
            self.word()?;
            return self.arguments();
        }
        self.value()?;
        if ["=", "!=", "<", "<=", ">", ">="].into_iter().any(|sign| self.takes(sign)) {
            return self.value();
        }
        if self.takes("=~") {
            return self.text();
        }
        let negated = self.takes("not");
        if self.takes("like") {
            return self.text();
        }
        if self.takes("in") {
            self.expect("[")?;
            self.list(Self::value)?;
            return self.expect("]");
        }
        Err(format!("nothing is asked of a value{}: {:?}", if negated { " after not" } else { "" }, self.rest.peek()))
    }

    /// A field, a literal, or a function of some.
    fn value(&mut self) -> Result<(), String> {
        match self.rest.peek() {
            Some(Token::Text(_) | Token::Number(_)) => {
                self.rest.next();
                Ok(())
            }
            Some(Token::Word(word)) if FUNCTIONS.contains(&word.as_str()) => {
                self.rest.next();
                self.arguments()
            }
            _ => self.field(),
        }
    }

    fn aggregate(&mut self) -> Result<(), String> {
        let word = self.word()?;
        if !AGGREGATES.contains(&word.as_str()) {
            return Err(format!("{word} makes no value of a group"));
        }
        if word != "count" {
            return self.arguments();
        }
        self.expect("(")?;
        if !self.takes("*") {
            self.field()?;
        }
        self.expect(")")
    }

    fn arguments(&mut self) -> Result<(), String> {
        self.expect("(")?;
        self.list(Self::value)?;
        self.expect(")")
    }

    /// The name that a value is given, if it is given one.
    fn name(&mut self) -> Result<(), String> {
        if self.takes("as") { self.field() } else { Ok(()) }
    }

    fn field(&mut self) -> Result<(), String> {
        let word = self.word()?;
        let parts = word.trim_start_matches('@').split('.');
        let is_path = parts.clone().all(|part| !part.is_empty() && !part.contains('@'));
        if is_path && !KEYWORDS.contains(&word.as_str()) { Ok(()) } else { Err(format!("{word} is no field")) }
    }

    fn text(&mut self) -> Result<(), String> {
        match self.rest.next() {
            Some(Token::Text(_) | Token::Pattern(_)) => Ok(()),
            other => Err(format!("a text or pattern is due, and not {other:?}")),
        }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.rest.next() {
            Some(Token::Word(word)) => Ok(word.clone()),
            other => Err(format!("a name is due, and not {other:?}")),
        }
    }

    /// Whether the next token is this sign or keyword, which is then behind.
    fn takes(&mut self, wanted: &str) -> bool {
        self.rest
            .next_if(|token| match token {
                Token::Word(word) => word == wanted,
                Token::Sign(sign) => *sign == wanted,
                _ => false,
            })
            .is_some()
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        if self.takes(wanted) { Ok(()) } else { Err(format!("{wanted} is due, and not {:?}", self.rest.peek())) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_insights_takes_is_taken() {
        let check = |query: &str, expected: &[&str]| assert_eq!(texts(query), Ok(to_owned(expected)), "{query}");
        check("fields @timestamp, @message | sort @timestamp desc | limit 20", &[]);
        check("# said before\nfilter ispresent(errorCode) and not (a.b = \"x\" or c in [\"y\", 3])", &["x", "y"]);
        check("filter a like /^it\\x{27}s\\/$/ or b not like /free.*/ or c =~ \"\"", &["it's/", ""]);
        check("filter a = \"with \\\" and | inside\"", &["with \" and | inside"]);
        check("stats count(*) as calls, earliest(t) as first by bin(1h), user.arn | display calls", &[]);
        check("parse @message \"user=*\" as user | filter strlen(user) > 3", &["user=*"]);
    }

    fn to_owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn what_insights_refuses_is_refused() {
        for wrong in [
            "",
            "filter",
            "select a from b",
            "filter a = \"x",
            "filter a = 'x'",
            "filter a = \"x\ny\"",
            "filter a like /x",
            "filter a like b",
            "filter a = \"x\" b = \"y\"",
            "filter a = \"x\" |",
            "filter (a = \"x\"",
            "filter a in [\"x\", ]",
            "filter a in \"x\"",
            "filter a",
            "filter not",
            "filter shell(a)",
            "fields a,, b",
            "fields a..b",
            "fields a as",
            "fields by",
            "stats a by b",
            "stats median(a)",
            "stats count(*",
            "stats count(*) by",
            "sort a up",
            "limit 0",
            "limit 10001",
            "limit many",
            "parse a as b",
            "filter a = \"x\"; drop",
        ] {
            assert!(texts(wrong).is_err(), "{wrong}");
        }
    }
}
