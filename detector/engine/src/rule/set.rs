//! All rules together, and the quick answer to which of them may concern an event.
//!
//! Deliberately immutable: a changed rule is a new set.

use super::{
    RuleFile,
    bound::{Bound, NameField, bound, record_name},
    clause,
    correlation::CorrelationRule,
    correlation_link,
    definition::{Counts, Rule},
    dispatch::Dispatch,
    load,
    logic::Logic,
    placeholder::Placeholders,
    problem::Problem,
    stage::Stage,
    value::Field,
    vocabulary::{Domain, STATE_EVENTS},
};
use crate::usage::Prices;

/// A rule's place in its set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RuleIndex(pub u32);

/// The compiled rules.
#[derive(Debug, Clone)]
pub struct RuleSet {
    rules: Vec<Rule>,
    correlations: Vec<CorrelationRule>,
    dispatch: Dispatch,
    /// The rules that ask for first times.
    first_times: Dispatch,
    principal: Vec<RuleIndex>,
    usage: Vec<RuleIndex>,
    prices: Prices,
    state: Vec<(&'static str, Vec<RuleIndex>)>,
    bound: Bound,
    /// The rules in the order of their ids.
    by_id: Vec<RuleIndex>,
}

impl Default for RuleSet {
    fn default() -> Self {
        Self::new(Vec::new(), Vec::new())
    }
}

impl RuleSet {
    /// Compiles rule files; every problem of every file is returned at once.
    ///
    /// # Errors
    /// When any file has a problem.
    pub fn compile(files: &[RuleFile]) -> Result<Self, Vec<Problem>> {
        Self::compile_with(files, &Placeholders::new())
    }

    /// The same, with values for the placeholders of `|expand`.
    ///
    /// # Errors
    /// When any file has a problem.
    pub fn compile_with(files: &[RuleFile], placeholders: &Placeholders) -> Result<Self, Vec<Problem>> {
        let (rules, correlations) = load::compile(files, placeholders)?;
        Ok(Self::new(rules, correlations))
    }

    pub(super) fn new(mut rules: Vec<Rule>, mut correlations: Vec<CorrelationRule>) -> Self {
        correlation_link::seal(&mut correlations);
        rules.iter_mut().for_each(Rule::plan);
        let of_domain = |domain: Domain| indexed(&rules).filter(move |(_, rule)| rule.domain == domain);
        let (of_first_times, call_bounds): (Vec<_>, Vec<_>) = of_domain(Domain::CloudTrail)
            .map(|(index, rule)| (index, bound(&rule.condition, &rule.searches, &record_name)))
            .partition(|(index, _)| rules.get(index.0 as usize).is_some_and(|rule| rule.first_times.is_some()));
        let (usage, principal) = of_domain(Domain::Principal)
            .map(|(index, _)| index)
            .partition(|index| rules.get(index.0 as usize).is_some_and(|rule| rule.counts == Counts::Usage));
        let state = STATE_EVENTS
            .iter()
            .map(|event| {
                let judging = of_domain(Domain::State).filter(|(_, rule)| state_bound(rule).admits("", event));
                (*event, judging.map(|(index, _)| index).collect())
            })
            .collect();
        // What is a first time is only known if everything on Bedrock is seen.
        let of_bedrock = (!of_first_times.is_empty()).then(Bound::of_bedrock);
        let bound = Bound::union(call_bounds.iter().map(|(_, bound)| bound).chain(&of_bedrock));
        let (dispatch, first_times) = (indexed_by_name(&call_bounds), indexed_by_name(&of_first_times));
        let mut by_id: Vec<RuleIndex> = indexed(&rules).map(|(index, _)| index).collect();
        by_id.sort_by_key(|index| rules.get(index.0 as usize).map(|rule| rule.about.id.clone()));
        let prices = Prices::default();
        Self { rules, correlations, dispatch, first_times, principal, usage, prices, state, bound, by_id }
    }

    /// What it was made of.
    pub(super) fn into_parts(self) -> (Vec<Rule>, Vec<CorrelationRule>) {
        (self.rules, self.correlations)
    }

    /// These rules with what tokens cost.
    #[must_use]
    pub fn with_prices(self, prices: Prices) -> Self {
        Self { prices, ..self }
    }

    /// What tokens cost.
    #[must_use]
    pub const fn prices(&self) -> &Prices {
        &self.prices
    }

    /// Every rule, in the order of the files.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Every rule with its index.
    pub fn indexed(&self) -> impl Iterator<Item = (RuleIndex, &Rule)> {
        indexed(&self.rules)
    }

    /// Every correlation, in the order of the files.
    #[must_use]
    pub fn correlations(&self) -> &[CorrelationRule] {
        &self.correlations
    }

    /// The correlation at this place.
    pub(super) fn correlation(&self, index: u32) -> Option<&CorrelationRule> {
        self.correlations.get(usize::try_from(index).ok()?)
    }

    /// Whether any rule asks for first times.
    pub(crate) fn asks_for_first_times(&self) -> bool {
        !self.first_times.is_empty()
    }

    /// The rules over first times that may match a CloudTrail record of this source and name, in order.
    pub(crate) fn first_time_rules(&self, source: &str, name: &str) -> Vec<RuleIndex> {
        found(&self.first_times, source, name)
    }

    /// The rules that may match a CloudTrail record of this source and name, besides those over first times, in order.
    #[must_use]
    pub fn call_rules(&self, source: &str, name: &str) -> Vec<RuleIndex> {
        found(&self.dispatch, source, name)
    }

    /// The rules that judge what model invocation logs say about principals.
    #[must_use]
    pub fn usage_rules(&self) -> &[RuleIndex] {
        &self.usage
    }

    /// The rules that judge the seconds of principals by CloudTrail's records.
    #[must_use]
    pub fn principal_rules(&self) -> &[RuleIndex] {
        &self.principal
    }

    /// The rules that may match the state event of this name.
    #[must_use]
    pub fn state_rules(&self, event: &str) -> &[RuleIndex] {
        self.state.iter().find(|(known, _)| *known == event).map_or(&[], |(_, rules)| rules)
    }

    /// The rule at an index this set gave.
    ///
    /// # Panics
    /// When the index is of another, larger set.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "an index comes from this set")]
    pub fn get(&self, index: RuleIndex) -> &Rule {
        &self.rules[index.0 as usize]
    }

    /// The rule with this id.
    #[must_use]
    pub fn by_id(&self, id: &str) -> Option<&Rule> {
        self.index_of(id).map(|index| self.get(index))
    }

    /// The index of the rule with this id.
    #[must_use]
    pub fn index_of(&self, id: &str) -> Option<RuleIndex> {
        let found = self.by_id.binary_search_by(|index| self.get(*index).about.id.as_str().cmp(id)).ok()?;
        self.by_id.get(found).copied()
    }

    /// The stage of the rule or correlation with this id.
    #[must_use]
    pub fn stage_of(&self, id: &str) -> Option<Stage> {
        let correlation = || self.correlations.iter().map(CorrelationRule::about).find(|about| about.id == id);
        self.by_id(id).map(Rule::about).or_else(correlation).map(|about| about.stage)
    }

    /// What a CloudTrail record must look like for any rule to be able to match it.
    #[must_use]
    pub const fn bound(&self) -> &Bound {
        &self.bound
    }

    /// A copy in which one rule lacks one of its [`Rule::clauses`]; an unchanged copy when there is no such clause.
    #[must_use]
    pub fn without(&self, rule: RuleIndex, clause_index: usize) -> Self {
        let mut rules = self.rules.clone();
        if let Some(place) = rules.get_mut(rule.0 as usize)
            && let Some(changed) = clause::without(place, clause_index)
        {
            *place = changed;
            if place.domain == Domain::State && load::state_subject(place).is_err() {
                // The compiler refuses a state rule that does not say what it is about, so it judges nothing.
                place.condition = Logic::Any(Vec::new());
            }
        }
        Self::new(rules, self.correlations.clone()).with_prices(self.prices.clone())
    }
}

fn indexed(rules: &[Rule]) -> impl Iterator<Item = (RuleIndex, &Rule)> {
    (0_u32..).map(RuleIndex).zip(rules)
}

/// Which state events a rule can match, as a bound on their name.
pub(super) fn state_bound(rule: &Rule) -> Bound {
    let which = |field: &Field| matches!(field, Field::Watch("event")).then_some(NameField::EventName);
    bound(&rule.condition, &rule.searches, &which)
}

fn indexed_by_name(bounds: &[(RuleIndex, Bound)]) -> Dispatch {
    let mut dispatch = Dispatch::default();
    bounds.iter().for_each(|(index, bound)| dispatch.insert(bound, index.0));
    dispatch
}

fn found(dispatch: &Dispatch, source: &str, name: &str) -> Vec<RuleIndex> {
    let mut found: Vec<RuleIndex> = dispatch.find(source, name).map(RuleIndex).collect();
    found.sort_unstable();
    found.dedup();
    found
}
