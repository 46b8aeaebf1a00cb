//! The key of a detection item, `field|modifier|modifier`, and what its modifiers mean together.
//!
//! The names of modifiers are rsigma's. Deliberately refused rather than ignored: combinations that mean nothing.
//! `expand` does not come here: see [`super::placeholder`].

use rsigma_parser::Modifier;

use super::{
    logic::{Comparison, Relation, TimePart},
    problem::{Problems, listed, nearest},
    yaml::Key,
};

const SUPPORTED: [&str; 31] = [
    "contains",
    "startswith",
    "endswith",
    "all",
    "cased",
    "re",
    "i",
    "m",
    "s",
    "cidr",
    "exists",
    "fieldref",
    "gt",
    "gte",
    "lt",
    "lte",
    "neq",
    "base64",
    "base64offset",
    "wide",
    "utf16le",
    "utf16be",
    "utf16",
    "windash",
    "expand",
    "minute",
    "hour",
    "day",
    "week",
    "month",
    "year",
];

/// What an item's modifiers ask for.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// The field's name; empty for a search over every text.
    pub(super) field: String,
    pub(super) operator: Operator,
    pub(super) relation: Option<Relation>,
    pub(super) every: bool,
    pub(super) negated: bool,
    pub(super) cased: bool,
    pub(super) wide: Option<Wide>,
    pub(super) encoding: Option<Encoding>,
    /// The part of a time that is compared.
    pub(super) part: Option<TimePart>,
}

/// What an item does with its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    /// Compares texts, numbers, booleans and null by what the value is.
    Value,
    Regex {
        insensitive: bool,
        multiline: bool,
        dotall: bool,
    },
    Network,
    Exists,
    Reference,
    Compare(Comparison),
}

/// How a text becomes bytes before it is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wide {
    LittleEndian,
    BigEndian,
    Marked,
}

/// What a text is turned into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    Base64,
    Base64Offset,
    Dashes,
}

impl Plan {
    /// Reads a key; `None` when something about it is wrong, which is then in `problems`.
    pub(super) fn read(key: &Key, problems: &mut Problems<'_>) -> Option<Self> {
        let before = problems.count();
        let mut parts = key.text.split('|');
        let field = parts.next().unwrap_or("").to_owned();
        let mut column = field.chars().count();
        let mut modifiers = Vec::new();
        for name in parts {
            let place = key.place.right(column.saturating_add(1));
            column = column.saturating_add(name.chars().count()).saturating_add(1);
            match modifier(name) {
                Ok(modifier) => modifiers.push((modifier, name)),
                Err(message) => problems.add(place, message),
            }
        }
        if problems.count() > before {
            return None;
        }
        match Self::combine(field, &modifiers) {
            Ok(plan) => Some(plan),
            Err(message) => {
                problems.add(key.place, message);
                None
            }
        }
    }

    fn combine(field: String, modifiers: &[(Modifier, &str)]) -> Result<Self, String> {
        let has = |wanted: Modifier| modifiers.iter().any(|(modifier, _)| *modifier == wanted);
        let relation = one_of(modifiers, |modifier| match modifier {
            Modifier::Contains => Some(Relation::Contains),
            Modifier::StartsWith => Some(Relation::StartsWith),
            Modifier::EndsWith => Some(Relation::EndsWith),
            _ => None,
        })?;
        let operator = one_of(modifiers, |modifier| match modifier {
            Modifier::Re => Some(Operator::Regex {
                insensitive: has(Modifier::IgnoreCase),
                multiline: has(Modifier::Multiline),
                dotall: has(Modifier::DotAll),
            }),
            Modifier::Cidr => Some(Operator::Network),
            Modifier::Exists => Some(Operator::Exists),
            Modifier::FieldRef => Some(Operator::Reference),
            Modifier::Gt => Some(Operator::Compare(Comparison::Greater)),
            Modifier::Gte => Some(Operator::Compare(Comparison::GreaterOrEqual)),
            Modifier::Lt => Some(Operator::Compare(Comparison::Less)),
            Modifier::Lte => Some(Operator::Compare(Comparison::LessOrEqual)),
            _ => None,
        })?
        .unwrap_or(Operator::Value);
        let wide = one_of(modifiers, |modifier| match modifier {
            Modifier::Wide => Some(Wide::LittleEndian),
            Modifier::Utf16be => Some(Wide::BigEndian),
            Modifier::Utf16 => Some(Wide::Marked),
            _ => None,
        })?;
        let encoding = one_of(modifiers, |modifier| match modifier {
            Modifier::Base64 => Some(Encoding::Base64),
            Modifier::Base64Offset => Some(Encoding::Base64Offset),
            Modifier::WindAsh => Some(Encoding::Dashes),
            _ => None,
        })?;
        let part = one_of(modifiers, |modifier| match modifier {
            Modifier::Minute => Some(TimePart::Minute),
            Modifier::Hour => Some(TimePart::Hour),
            Modifier::Day => Some(TimePart::Day),
            Modifier::Week => Some(TimePart::Week),
            Modifier::Month => Some(TimePart::Month),
            Modifier::Year => Some(TimePart::Year),
            _ => None,
        })?;
        let plan = Self {
            field,
            operator,
            relation,
            every: has(Modifier::All),
            negated: has(Modifier::Neq),
            cased: has(Modifier::Cased),
            wide,
            encoding,
            part,
        };
        plan.check(modifiers)?;
        Ok(plan)
    }

    /// Refuses combinations without a meaning.
    fn check(&self, modifiers: &[(Modifier, &str)]) -> Result<(), String> {
        let plain = self.operator == Operator::Value;
        let is_compared = plain || matches!(self.operator, Operator::Compare(_));
        if self.part.is_some()
            && (!is_compared || self.relation.is_some() || self.encoding.is_some() || self.field.is_empty())
        {
            return Err(
                "a part of a time is a number: it equals one, or is compared by |gt, |gte, |lt or |lte".to_owned()
            );
        }
        if self.relation.is_some() && !plain && self.operator != Operator::Reference {
            return Err(
                "|contains, |startswith and |endswith compare texts; they cannot be combined with another operator"
                    .to_owned(),
            );
        }
        if self.operator == Operator::Reference && self.relation.is_some() {
            let at = |wanted: &dyn Fn(Modifier) -> bool| modifiers.iter().position(|(modifier, _)| wanted(*modifier));
            let reference = at(&|modifier| modifier == Modifier::FieldRef);
            let relation = at(&|m| matches!(m, Modifier::Contains | Modifier::StartsWith | Modifier::EndsWith));
            if relation < reference {
                return Err("|contains, |startswith and |endswith come after |fieldref".to_owned());
            }
        }
        if !plain && (self.wide.is_some() || self.encoding.is_some()) {
            return Err(
                "|base64, |base64offset, |wide, |utf16 and |windash change texts; they cannot be combined with \
                        |re, |cidr, |exists, |fieldref or comparisons of numbers"
                    .to_owned(),
            );
        }
        if self.wide.is_some() && !matches!(self.encoding, Some(Encoding::Base64 | Encoding::Base64Offset)) {
            return Err(
                "|wide, |utf16le, |utf16be and |utf16 only mean something before |base64 or |base64offset".to_owned()
            );
        }
        if self.encoding == Some(Encoding::Base64Offset)
            && matches!(self.relation, Some(Relation::StartsWith | Relation::EndsWith))
        {
            return Err("|base64offset finds a text anywhere; write |base64offset|contains".to_owned());
        }
        let flag = modifiers
            .iter()
            .find(|(modifier, _)| matches!(modifier, Modifier::IgnoreCase | Modifier::Multiline | Modifier::DotAll));
        if let Some((_, name)) = flag
            && !matches!(self.operator, Operator::Regex { .. })
        {
            return Err(format!("|{name} is a flag of |re; texts are compared whatever their case unless |cased"));
        }
        if self.field.is_empty() && (self.negated || !matches!(self.operator, Operator::Value | Operator::Regex { .. }))
        {
            return Err("a search without a field only knows texts and |re; name the field".to_owned());
        }
        Ok(())
    }
}

/// The one of several exclusive modifiers that is there.
fn one_of<T: PartialEq>(
    modifiers: &[(Modifier, &str)],
    pick: impl Fn(Modifier) -> Option<T>,
) -> Result<Option<T>, String> {
    let mut found: Option<(T, &str)> = None;
    for (modifier, name) in modifiers {
        let Some(picked) = pick(*modifier) else { continue };
        match &found {
            Some((present, _)) if *present == picked => {}
            Some((_, first)) => return Err(format!("|{first} and |{name} exclude each other; keep one")),
            None => found = Some((picked, name)),
        }
    }
    Ok(found.map(|(picked, _)| picked))
}

fn modifier(name: &str) -> Result<Modifier, String> {
    let supported = || listed(SUPPORTED);
    match name.parse::<Modifier>() {
        // Placeholders are filled before; what is left of the modifier is a key that is no field of a search.
        Ok(Modifier::Expand) => Err("|expand belongs to a field of a search".to_owned()),
        Ok(modifier) => Ok(modifier),
        Err(()) if name == "not" => Err("|not is no modifier; write `not` in the condition, or |neq".to_owned()),
        Err(()) => {
            let hint = match nearest(name, SUPPORTED).first() {
                Some(likely) => format!("; did you mean |{likely}?"),
                None => ";".to_owned(),
            };
            Err(format!("unknown modifier |{name}{hint} valid modifiers are {}", supported()))
        }
    }
}
