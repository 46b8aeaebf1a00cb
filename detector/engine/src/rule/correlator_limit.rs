//! Which groups of a correlation are forgotten when there are too many.
//!
//! Those that nothing can happen to first, then, account by account, those with the fewest and oldest events: an account
//! that invents groups loses its own.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    correlator::{Allowance, GroupKey},
    correlator_group::Group,
};
use crate::time::Second;

/// Makes room, for more than one group, so that a full memory is not searched for every event; `account` is the one
/// whose floor the allowance has. Returns how many groups were forgotten that could still have mattered.
pub(super) fn evict(groups: &mut BTreeMap<GroupKey, Group>, account: &str, allowance: Allowance, span_s: u32) -> u64 {
    let limit = allowance.groups_max as usize;
    groups.retain(|key, group| {
        if key.account == account {
            group.expire(span_s, allowance.floor);
        }
        !group.is_empty()
    });
    if groups.len() <= limit {
        return 0;
    }
    let target = limit.saturating_sub(limit / 16);
    let mut candidates: BTreeMap<String, Vec<(usize, Second, GroupKey)>> = BTreeMap::new();
    for (key, group) in groups.iter() {
        candidates.entry(key.account.clone()).or_default().push((group.len(), group.latest(), key.clone()));
    }
    let mut sizes = BTreeSet::new();
    for (account, of_account) in &mut candidates {
        of_account.sort_by(|a, b| b.cmp(a));
        sizes.insert((of_account.len(), account.clone()));
    }
    let mut evicted = 0_u64;
    while groups.len() > target {
        let Some((size, account)) = sizes.pop_last() else { break };
        let Some((_, _, key)) = candidates.get_mut(&account).and_then(Vec::pop) else { continue };
        groups.remove(&key);
        evicted = evicted.saturating_add(1);
        sizes.insert((size.saturating_sub(1), account));
    }
    evicted
}
