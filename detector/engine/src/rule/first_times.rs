//! What a rule over `watch.first.*` asks, and what it cannot ask.
//!
//! Such a rule is judged only for events that are the first of something, and again when a late record shows that they
//! were not. That needs nothing but the record and its first times, so window counts are refused.

use super::{
    definition::FirstTimes,
    extension::Extension,
    logic::Search,
    problem::{Place, Problems},
    value::Field,
};
use crate::{alert::SubjectKind, firsts};

/// Reads it off a rule; `None` for a rule that asks for no first time.
pub(super) fn read(
    searches: &[Search],
    extension: &Extension,
    place: Place,
    problems: &mut Problems<'_>,
) -> Option<FirstTimes> {
    let (mut asked, mut counts_calls) = (0, false);
    for search in searches {
        search.logic.each_item(&mut |item| {
            item.each_field(&mut |field| match field {
                Field::Watch(name) => {
                    asked |= firsts::bit_of(name).unwrap_or(0);
                    counts_calls |= name.starts_with("principal.");
                }
                Field::Window { .. } => counts_calls = true,
                Field::Record(_) | Field::Path(_) => {}
            });
        });
    }
    let (at_least, within) = (extension.at_least, extension.within_s);
    if asked == 0 {
        if let Some((place, _)) = at_least.or(within) {
            problems.add(place, "at_least and within are for rules over watch.first; write a correlation instead");
        }
        return None;
    }
    if asked & firsts::ALL == 0 {
        problems.add(place, "watch.first.day says nothing by itself; ask for another watch.first field as well");
    }
    if counts_calls {
        problems.add(place, "watch.first fields cannot be joined with watch.principal fields in one rule");
    }
    if !extension.facts.is_empty() {
        problems.add(place, "a rule over watch.first cannot take facts over from records, which it does not keep");
    }
    if extension.subject == Some(SubjectKind::Event) {
        problems.add(place, "the subject of a rule over watch.first is the principal");
    }
    match (at_least, within) {
        (Some((place, _)), None) => problems.add(place, "at_least needs within, the time in which the events lie"),
        (None, Some((place, _))) => problems.add(place, "within needs at_least, the number of events"),
        _ => {}
    }
    let (_, at_least) = at_least.unwrap_or((place, 1));
    let (_, within_s) = within.unwrap_or((place, 0));
    Some(FirstTimes { asked, at_least, within_s })
}
