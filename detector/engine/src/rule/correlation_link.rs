//! What correlations name: rules, and other correlations in chains.
//!
//! Deliberately refused: circles, chains longer than [`DEPTH_MAX`], and rules over what late records can take away
//! without the correlation being told.

use std::collections::BTreeSet;

use super::{
    correlation::{CorrelationRule, Draft, Input, fingerprint},
    definition::{About, Rule},
    problem::{Place, Problem, Problems, nearest},
    set::RuleIndex,
    vocabulary::Domain,
};

/// The most correlations that may stand below another.
const DEPTH_MAX: usize = 5;

/// Resolves references by rule id, Sigma name or Sigma id, and silences rules and correlations that only feed
/// correlations. A name in `declared` belongs to a rule that has problems of its own.
pub(super) fn link(
    drafts: Vec<Draft>,
    rules: &mut [Rule],
    declared: &[String],
    found: &mut Vec<Problem>,
) -> Vec<CorrelationRule> {
    let inputs: Vec<Vec<Input>> =
        drafts.iter().map(|draft| inputs_of(draft, &drafts, rules, declared, found)).collect();
    let depths = depths(&inputs);
    for (draft, (inputs, depth)) in drafts.iter().zip(inputs.iter().zip(&depths)) {
        if depth.is_some_and(|depth| depth > DEPTH_MAX) {
            let message = format!("at most {DEPTH_MAX} correlations may stand below another in a chain");
            found.push(problem(draft, inputs, None, message));
        }
    }
    found.extend(circles(&drafts, &inputs, &depths));
    let generates: Vec<bool> = drafts.iter().map(|draft| draft.generate).collect();
    let alerts = |input: Input| {
        let mut uses = inputs.iter().zip(&generates).filter(|(inputs, _)| inputs.contains(&input)).peekable();
        uses.peek().is_none() || uses.any(|(_, generate)| *generate)
    };
    for (index, rule) in (0..).map(RuleIndex).zip(rules) {
        rule.alerts = alerts(Input::Rule(index));
    }
    let mut linked = Vec::new();
    for ((index, draft), (own, depth)) in (0..).zip(drafts).zip(inputs.iter().zip(depths)) {
        let Draft { about, kind, references, group_by, span_s, .. } = draft;
        let meaning = fingerprint(&format!("{kind:?} {group_by:?} {span_s} {references:?}"));
        linked.push(CorrelationRule {
            about,
            kind,
            inputs: own.clone(),
            rules: rules_below(index, &inputs),
            group_by,
            span_s,
            depth: depth.unwrap_or(0),
            named_by: named_by(index, &inputs),
            alerts: alerts(Input::Correlation(index)),
            meaning,
            fingerprint: meaning,
        });
    }
    linked
}

/// Gives each correlation of correlations a fingerprint that those below it are part of.
pub(super) fn seal(correlations: &mut [CorrelationRule]) {
    let deepest = correlations.iter().map(|correlation| correlation.depth).max().unwrap_or(0);
    for depth in 0..=deepest {
        let before: Vec<u64> = correlations.iter().map(|correlation| correlation.fingerprint).collect();
        for correlation in correlations.iter_mut().filter(|correlation| correlation.depth == depth) {
            let below: Vec<u64> = below(&correlation.inputs).filter_map(|index| before.get(index).copied()).collect();
            correlation.fingerprint = match below.as_slice() {
                [] => correlation.meaning,
                // With the id, because it is by fingerprint that events find the correlations above.
                below => fingerprint(&format!("{} {} {below:?}", correlation.about.id, correlation.meaning)),
            };
        }
    }
}

/// The correlations among inputs.
fn below(inputs: &[Input]) -> impl Iterator<Item = usize> + '_ {
    inputs.iter().filter_map(|input| match input {
        Input::Rule(_) => None,
        Input::Correlation(index) => usize::try_from(*index).ok(),
    })
}

fn inputs_of(
    draft: &Draft,
    drafts: &[Draft],
    rules: &[Rule],
    declared: &[String],
    found: &mut Vec<Problem>,
) -> Vec<Input> {
    let mut problems = Problems::new(&draft.about.file);
    let mut inputs = Vec::new();
    for (place, name) in &draft.references {
        match find(name, rules, drafts) {
            Ok(input) => inputs.push(input),
            Err(_) if declared.contains(name) => {}
            Err(message) => problems.add(*place, message),
        }
    }
    found.extend(problems.into_found());
    inputs
}

fn find(name: &str, rules: &[Rule], drafts: &[Draft]) -> Result<Input, String> {
    let called = |about: &About| {
        about.id == name || about.name.as_deref() == Some(name) || about.sigma_id.as_deref() == Some(name)
    };
    let of_rules = (0..).map(RuleIndex).zip(rules).map(|(index, rule)| (Input::Rule(index), &rule.about, Some(rule)));
    let of_drafts = (0..).zip(drafts).map(|(index, draft)| (Input::Correlation(index), &draft.about, None));
    let mut matching = of_rules.chain(of_drafts).filter(|(_, about, _)| called(about));
    match (matching.next(), matching.next()) {
        (Some((_, _, Some(rule))), None) if rule.first_times.is_some() => Err(format!(
            "`{name}` asks for first times, which late records can take away; write at_least and within there"
        )),
        (Some((_, _, Some(rule))), None) if rule.domain != Domain::CloudTrail => {
            Err(format!("`{name}` is not for aws/cloudtrail; only such rules can be correlated"))
        }
        (Some((input, ..)), None) => Ok(input),
        (Some((_, one, _)), Some((_, other, _))) => {
            Err(format!("`{name}` is both {} and {}; refer to it by its rule id", one.id, other.id))
        }
        (None, _) => {
            let abouts = rules.iter().map(|rule| &rule.about).chain(drafts.iter().map(Draft::about));
            let known = abouts.map(|about| about.name.as_deref().unwrap_or(&about.id));
            let hint = match nearest(name, known).as_slice() {
                [] => String::new(),
                near => format!("; did you mean {}?", near.join(" or ")),
            };
            Err(format!("no rule is named `{name}`, by its folder, Sigma name or Sigma id{hint}"))
        }
    }
}

/// How many correlations stand below each, in the longest chain; `None` where a circle does.
fn depths(inputs: &[Vec<Input>]) -> Vec<Option<usize>> {
    let mut depths: Vec<Option<usize>> = vec![None; inputs.len()];
    loop {
        let mut grew = false;
        for (index, inputs) in inputs.iter().enumerate() {
            let of_inner =
                below(inputs).map(|inner| depths.get(inner).copied().flatten().map(|depth| depth.saturating_add(1)));
            let depth = of_inner.collect::<Option<Vec<usize>>>().map(|inner| inner.into_iter().max().unwrap_or(0));
            if let (Some(known @ None), Some(_)) = (depths.get_mut(index), depth) {
                *known = depth;
                grew = true;
            }
        }
        if !grew {
            return depths;
        }
    }
}

/// A problem for each circle of correlations, at the first of them.
fn circles(drafts: &[Draft], inputs: &[Vec<Input>], depths: &[Option<usize>]) -> Vec<Problem> {
    let is_open = |index: &usize| depths.get(*index).is_some_and(Option::is_none);
    let mut told: BTreeSet<Vec<usize>> = BTreeSet::new();
    let mut problems = Vec::new();
    for start in (0..drafts.len()).filter(is_open) {
        let mut path: Vec<usize> = Vec::new();
        let mut next = Some(start);
        while let Some(index) = next.filter(|index| !path.contains(index)) {
            path.push(index);
            next = inputs.get(index).and_then(|inputs| below(inputs).find(is_open));
        }
        let Some(begin) = path.iter().position(|index| Some(*index) == next) else { continue };
        let mut circle = path.split_off(begin);
        let least = circle.iter().enumerate().min_by_key(|(_, index)| **index).map_or(0, |(place, _)| place);
        circle.rotate_left(least);
        let Some(first) = circle.first().copied() else { continue };
        let names: Vec<String> = circle
            .iter()
            .chain([&first])
            .filter_map(|index| Some(format!("`{}`", drafts.get(*index)?.about.id)))
            .collect();
        let message =
            format!("correlations name each other in a circle: {}; one has to name rules", names.join(" -> "));
        if let (Some(draft), Some(inputs)) = (drafts.get(first), inputs.get(first)) {
            let second = circle.get(1).copied().unwrap_or(first);
            if told.insert(circle) {
                problems.push(problem(draft, inputs, Some(second), message));
            }
        }
    }
    problems
}

/// A problem where a draft names the correlation `inner`, or else any.
fn problem(draft: &Draft, inputs: &[Input], inner: Option<usize>, message: String) -> Problem {
    let is_meant =
        |input: &Input| below(std::slice::from_ref(input)).any(|index| inner.is_none_or(|inner| inner == index));
    let places = draft.references.iter().zip(inputs).filter(|(_, input)| is_meant(input));
    let Place { line, column } = places.map(|((place, _), _)| *place).next().unwrap_or(Place::START);
    Problem { file: draft.about.file.clone(), line, column, message }
}

/// The rules among the inputs of a correlation, and among theirs.
fn rules_below(index: u32, inputs: &[Vec<Input>]) -> Vec<RuleIndex> {
    let mut seen: BTreeSet<usize> = usize::try_from(index).into_iter().collect();
    let mut left: Vec<usize> = seen.iter().copied().collect();
    let mut rules = Vec::new();
    while let Some(index) = left.pop() {
        let Some(inputs) = inputs.get(index) else { continue };
        for input in inputs {
            if let Input::Rule(rule) = input
                && !rules.contains(rule)
            {
                rules.push(*rule);
            }
        }
        left.extend(below(inputs).filter(|inner| seen.insert(*inner)));
    }
    rules
}

/// The places of the correlations that have one as an input, and as which of theirs.
fn named_by(index: u32, inputs: &[Vec<Input>]) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    for (outer, inputs) in (0..).zip(inputs) {
        let places = (0..).zip(inputs).filter(|(_, input)| **input == Input::Correlation(index));
        found.extend(places.map(|(place, _)| (outer, place)));
    }
    found
}
