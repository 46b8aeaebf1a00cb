//! The shards of a stream as ListShards tells them, and who descends from whom.
//!
//! Deliberately no memory: what has been read is for others to know.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
};

use aws_sdk_kinesis::types;

use super::{failure::Failure, stream::Stream};

/// Pages of one listing. A page has up to 1,000 shards, and a stream up to 20,000 open ones.
const PAGES_MAX: usize = 100;

/// A shard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// Its id.
    pub id: String,
    /// The shards it came of: none, one by a split, two by a merge.
    pub parents: Vec<String>,
    /// The hash keys it is responsible for.
    pub hash_keys: RangeInclusive<u128>,
    /// Whether nothing is written to it any more.
    pub is_closed: bool,
}

/// The shards of a stream at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shards {
    by_id: BTreeMap<String, Shard>,
}

impl Shards {
    /// Asks for all shards, closed ones included as long as their records are kept.
    ///
    /// # Errors
    /// When Kinesis does not list them.
    pub async fn list(stream: &Stream) -> Result<Self, Failure> {
        let call = "ListShards";
        let mut shards = Self::default();
        let mut next = None;
        for _ in 0..PAGES_MAX {
            let request = stream.client().list_shards();
            // A token stands for the stream; naming both is refused.
            let request = match next.take() {
                Some(token) => request.next_token(token),
                None => request.set_stream_name(stream.name()).set_stream_arn(stream.arn()),
            };
            let page = request.send().await.map_err(|error| Failure::new(call, &error))?;
            shards.extend(page.shards.unwrap_or_default().into_iter().map(Shard::from));
            next = page.next_token;
            if next.is_none() {
                return Ok(shards);
            }
        }
        Err(Failure::passing(call, "the listing does not end"))
    }

    /// A shard by its id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Shard> {
        self.by_id.get(id)
    }

    /// All shards, by id: parents come first, because ids grow.
    pub fn iter(&self) -> impl Iterator<Item = &Shard> {
        self.by_id.values()
    }

    /// The shards that came of this one.
    #[must_use]
    pub fn children(&self, id: &str) -> Vec<Shard> {
        self.iter().filter(|shard| shard.parents.iter().any(|parent| parent == id)).cloned().collect()
    }

    /// The shards that these came of, at any remove, as far as they are listed.
    #[must_use]
    pub fn ancestors<'a>(&self, ids: impl IntoIterator<Item = &'a str>) -> BTreeSet<String> {
        let parents = |id: &str| self.get(id).map(|shard| shard.parents.clone()).unwrap_or_default();
        let mut found = BTreeSet::new();
        let mut open: Vec<String> = ids.into_iter().flat_map(parents).collect();
        while let Some(id) = open.pop() {
            if found.insert(id.clone()) {
                open.extend(parents(&id));
            }
        }
        found
    }

    /// Whether there is proof that nothing more is written to a shard: it is closed, or it has children.
    #[must_use]
    pub fn is_over(&self, id: &str) -> bool {
        self.get(id).is_some_and(|shard| shard.is_closed) || !self.children(id).is_empty()
    }
}

impl Extend<Shard> for Shards {
    fn extend<I: IntoIterator<Item = Shard>>(&mut self, shards: I) {
        self.by_id.extend(shards.into_iter().map(|shard| (shard.id.clone(), shard)));
    }
}

impl From<types::Shard> for Shard {
    fn from(shard: types::Shard) -> Self {
        let ending = shard.sequence_number_range.and_then(|range| range.ending_sequence_number);
        Self {
            id: shard.shard_id,
            parents: shard.parent_shard_id.into_iter().chain(shard.adjacent_parent_shard_id).collect(),
            hash_keys: hash_keys(shard.hash_key_range.as_ref()),
            is_closed: ending.is_some(),
        }
    }
}

impl From<types::ChildShard> for Shard {
    fn from(child: types::ChildShard) -> Self {
        let hash_keys = hash_keys(child.hash_key_range.as_ref());
        Self { id: child.shard_id, parents: child.parent_shards, hash_keys, is_closed: false }
    }
}

/// All of them where the range cannot be read: dropping too few records does no harm.
fn hash_keys(range: Option<&types::HashKeyRange>) -> RangeInclusive<u128> {
    let read =
        |range: &types::HashKeyRange| Some(range.starting_hash_key.parse().ok()?..=range.ending_hash_key.parse().ok()?);
    range.and_then(read).unwrap_or(0..=u128::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(id: &str, parents: &[&str]) -> Shard {
        let parents = parents.iter().map(ToString::to_string).collect();
        Shard { id: id.to_owned(), parents, hash_keys: 0..=u128::MAX, is_closed: false }
    }

    #[test]
    fn knows_who_descends_from_whom() {
        let mut shards = Shards::default();
        // 0 was split into 1 and 2; 2 and 3 were merged into 4. Of 3 nothing is kept.
        shards.extend([shard("0", &[]), shard("1", &["0"]), shard("2", &["0"]), shard("4", &["2", "3"])]);
        let ids = |shards: Vec<Shard>| shards.into_iter().map(|shard| shard.id).collect::<Vec<_>>();
        assert_eq!(ids(shards.children("0")), ["1", "2"]);
        assert_eq!(ids(shards.children("4")), [""; 0]);
        assert_eq!(shards.ancestors(["4"]).into_iter().collect::<Vec<_>>(), ["0", "2", "3"]);
        assert!(shards.is_over("2") && !shards.is_over("1") && !shards.is_over("9"));
    }
}
