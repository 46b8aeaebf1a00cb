//! The calls made to the table: reads, conditional writes, transactions; each tried again with jitter where that helps.
//!
//! Every read is strongly consistent, also of the indexes, which are local for this reason. A conditional write whose
//! answer was lost is recognised by the mark it left, so that it is not taken for somebody else's. Deliberately no
//! scan.

use std::{collections::BTreeMap, collections::HashMap, sync::Arc, time::Duration};

use aws_sdk_dynamodb::{
    Client,
    error::SdkError,
    operation::put_item::PutItemError,
    types::{
        AttributeValue, ConditionCheck, Delete, DeleteRequest, KeysAndAttributes, Put,
        ReturnValuesOnConditionCheckFailure, TransactWriteItem, WriteRequest,
    },
};

use super::{
    failure::Failure,
    item::{DUE, Item, Key, ORDER, PK, SK, VERSION},
};

/// The index that lists items in an order of their own.
pub(crate) const BY_ORDER: &str = "by_order";
/// The index of items for which a time will come.
pub(crate) const BY_DUE: &str = "by_due";
/// Writes in one transaction; DynamoDB's limit.
pub(super) const TRANSACTION_WRITES_MAX: usize = 100;
/// Bytes in one transaction, by [`Write::bytes`]; DynamoDB allows 4 MB, counted a little differently.
pub(super) const TRANSACTION_BYTES_MAX: usize = 3 << 20;
/// Items read by one call; DynamoDB's limit.
const BATCH_READS_MAX: usize = 100;
/// Items deleted by one call; DynamoDB's limit.
const BATCH_WRITES_MAX: usize = 25;
/// Items evaluated for one page of a query.
const PAGE_ITEMS_MAX: usize = 1_000;
/// Items evaluated for one page of a query with a filter, at least.
const FILTERED_ITEMS_MIN: usize = 20;
/// How often one piece of work is tried, the SDK's own retries not counted.
const TRIES_MAX: u32 = 5;
/// How often work is tried against others that write the same items.
const CONFLICTS_MAX: u32 = 50;
/// The first pause between tries; each is twice as long at most, and drawn at random.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest pause between tries.
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// What an item weighs beside its values, roughly, in bytes.
const ITEM_BYTES: usize = 200;
/// The mark of a write, by which its writer knows it again.
const MARK: &str = "w";
/// The epoch of whoever wrote an item of a scope.
pub(super) const EPOCH: &str = "e";

/// When a write may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum If {
    /// Always.
    Always,
    /// There is no such item.
    Absent,
    /// The item has this version.
    Version(u64),
    /// Nobody of a later epoch has written it.
    Epoch(u64),
}

impl If {
    /// There is no such item, or it has this version: what was read before, where 0 stands for no item.
    pub(super) const fn read(version: u64) -> Self {
        if version == 0 { Self::Absent } else { Self::Version(version) }
    }

    fn expression(self) -> Option<&'static str> {
        match self {
            Self::Always => None,
            Self::Absent => Some("attribute_not_exists(#c)"),
            Self::Version(_) => Some("#c = :c"),
            Self::Epoch(_) => Some("attribute_not_exists(#c) OR #c <= :c"),
        }
    }

    fn names(self) -> Option<HashMap<String, String>> {
        let name = match self {
            Self::Always => return None,
            Self::Absent => PK,
            Self::Version(_) => VERSION,
            Self::Epoch(_) => EPOCH,
        };
        Some([("#c".to_owned(), name.to_owned())].into())
    }

    fn values(self) -> Option<HashMap<String, AttributeValue>> {
        match self {
            Self::Always | Self::Absent => None,
            Self::Version(number) | Self::Epoch(number) => {
                Some([(":c".to_owned(), AttributeValue::N(number.to_string()))].into())
            }
        }
    }
}

/// One write of a transaction.
#[derive(Debug, Clone)]
pub(super) enum Write {
    /// Puts an item.
    Put(Item, If),
    /// Deletes an item.
    Delete(Key, If),
    /// Writes nothing, but the item must be so.
    Check(Key, If),
}

impl Write {
    /// What it weighs, roughly.
    pub(super) fn bytes(&self) -> usize {
        let Self::Put(item, _) = self else { return ITEM_BYTES };
        item.0.values().fold(ITEM_BYTES, |bytes: usize, value| {
            bytes.saturating_add(match value {
                AttributeValue::S(text) => text.len(),
                AttributeValue::B(blob) => blob.as_ref().len(),
                _ => 0,
            })
        })
    }

    fn build(&self, table: &str) -> Result<TransactWriteItem, Failure> {
        let refused = |error: aws_sdk_dynamodb::error::BuildError| Failure::Refused(error.to_string());
        let write = TransactWriteItem::builder();
        Ok(match self {
            Self::Put(item, condition) => {
                let put = Put::builder()
                    .table_name(table)
                    .set_item(Some(item.0.clone()))
                    .set_condition_expression(condition.expression().map(str::to_owned))
                    .set_expression_attribute_names(condition.names())
                    .set_expression_attribute_values(condition.values());
                write.put(put.build().map_err(refused)?)
            }
            Self::Delete(key, condition) => {
                let delete = Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()))
                    .set_condition_expression(condition.expression().map(str::to_owned))
                    .set_expression_attribute_names(condition.names())
                    .set_expression_attribute_values(condition.values());
                write.delete(delete.build().map_err(refused)?)
            }
            Self::Check(key, condition) => {
                let check = ConditionCheck::builder()
                    .table_name(table)
                    .set_key(Some(key.attributes()))
                    .set_condition_expression(condition.expression().map(str::to_owned))
                    .set_expression_attribute_names(condition.names())
                    .set_expression_attribute_values(condition.values());
                write.condition_check(check.build().map_err(refused)?)
            }
        }
        .build())
    }
}

/// Which sort keys a query wants.
#[derive(Debug, Clone)]
pub(super) enum Range {
    All,
    Begins(String),
    Below(String),
    After(String),
    UpTo(String),
    Between(String, String),
}

/// Only items for which this holds; it costs as much to read as the others.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    pub(super) parts: Vec<String>,
    pub(super) names: HashMap<String, String>,
    pub(super) values: HashMap<String, AttributeValue>,
}

/// A query for the items of one partition, in the order of their sort keys.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) pk: String,
    pub(super) index: Option<&'static str>,
    pub(super) range: Range,
    pub(super) backwards: bool,
    pub(super) limit: usize,
    pub(super) filter: Filter,
}

impl Query {
    pub(super) fn new(pk: impl Into<String>, index: Option<&'static str>, range: Range) -> Self {
        Self { pk: pk.into(), index, range, backwards: false, limit: usize::MAX, filter: Filter::default() }
    }

    pub(super) fn sort_key(&self) -> &'static str {
        match self.index {
            Some(BY_ORDER) => ORDER,
            Some(_) => DUE,
            None => SK,
        }
    }
}

/// The table.
#[derive(Debug, Clone)]
pub(super) struct Table {
    client: Client,
    name: Arc<str>,
}

impl Table {
    pub(super) fn new(client: Client, name: &str) -> Self {
        Self { client, name: name.into() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) const fn client(&self) -> &Client {
        &self.client
    }

    /// One item.
    pub(super) async fn get(&self, key: &Key) -> Result<Option<Item>, Failure> {
        let call = || async {
            let call = self.client.get_item().table_name(&*self.name).set_key(Some(key.attributes()));
            let found = call.consistent_read(true).send().await.map_err(|error| Failure::of(&error))?;
            Ok(found.item.map(Item))
        };
        retrying(call).await
    }

    /// The items of these keys that are there.
    pub(super) async fn batch_get(&self, keys: &[Key]) -> Result<BTreeMap<Key, Item>, Failure> {
        let mut found = BTreeMap::new();
        for keys in keys.chunks(BATCH_READS_MAX) {
            let mut left: Vec<_> = keys.iter().map(Key::attributes).collect();
            let mut pause = Pause::default();
            while !left.is_empty() {
                let wanted = &left;
                let call = || async {
                    let wanted = KeysAndAttributes::builder().set_keys(Some(wanted.clone())).consistent_read(true);
                    let wanted = wanted.build().map_err(|error| Failure::Refused(error.to_string()))?;
                    let call = self.client.batch_get_item().request_items(&*self.name, wanted);
                    call.send().await.map_err(|error| Failure::of(&error))
                };
                let answer = retrying(call).await?;
                for item in answer.responses.into_iter().flatten().flat_map(|(_, items)| items).map(Item) {
                    found.insert(item.key()?, item);
                }
                let unprocessed = answer.unprocessed_keys.and_then(|mut keys| keys.remove(&*self.name));
                left = unprocessed.map(|keys| keys.keys).unwrap_or_default();
                if !left.is_empty() {
                    pause.wait("reading several items at once").await?;
                }
            }
        }
        Ok(found)
    }

    /// The items that a query finds, at most its limit.
    pub(super) async fn query(&self, query: &Query) -> Result<Vec<Item>, Failure> {
        let mut found = Vec::new();
        let mut start = None;
        loop {
            let from = start.take();
            let call = || async {
                let answer = self.page(query, from.clone()).send().await;
                answer.map_err(|error| Failure::of(&error))
            };
            let answer = retrying(call).await?;
            found.extend(answer.items.into_iter().flatten().map(Item));
            if found.len() >= query.limit {
                found.truncate(query.limit);
                return Ok(found);
            }
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(found);
            }
        }
    }

    fn page(
        &self,
        query: &Query,
        start: Option<HashMap<String, AttributeValue>>,
    ) -> aws_sdk_dynamodb::operation::query::builders::QueryFluentBuilder {
        let (condition, bounds) = match &query.range {
            Range::All => ("#p = :p", vec![]),
            Range::Begins(prefix) => ("#p = :p AND begins_with(#s, :a)", vec![prefix]),
            Range::Below(bound) => ("#p = :p AND #s < :a", vec![bound]),
            Range::After(bound) => ("#p = :p AND #s > :a", vec![bound]),
            Range::UpTo(bound) => ("#p = :p AND #s <= :a", vec![bound]),
            Range::Between(low, high) => ("#p = :p AND #s BETWEEN :a AND :b", vec![low, high]),
        };
        let mut call = self
            .client
            .query()
            .table_name(&*self.name)
            .set_index_name(query.index.map(str::to_owned))
            .consistent_read(true)
            .scan_index_forward(!query.backwards)
            .key_condition_expression(condition)
            .expression_attribute_names("#p", PK)
            .expression_attribute_values(":p", AttributeValue::S(query.pk.clone()))
            .set_exclusive_start_key(start);
        if !bounds.is_empty() {
            call = call.expression_attribute_names("#s", query.sort_key());
        }
        for (name, bound) in [":a", ":b"].into_iter().zip(bounds) {
            call = call.expression_attribute_values(name, AttributeValue::S(bound.clone()));
        }
        if query.filter.parts.is_empty() {
            call.limit(i32::try_from(query.limit.min(PAGE_ITEMS_MAX)).unwrap_or(i32::MAX))
        } else {
            // What the filter drops counts as well.
            let page = query.limit.saturating_mul(2).clamp(FILTERED_ITEMS_MIN, PAGE_ITEMS_MAX);
            call = call.limit(i32::try_from(page).unwrap_or(i32::MAX));
            let names = call.get_expression_attribute_names().clone().into_iter().flatten();
            let names = names.chain(query.filter.names.clone()).collect();
            let values = call.get_expression_attribute_values().clone().into_iter().flatten();
            let values = values.chain(query.filter.values.clone()).collect();
            call.filter_expression(query.filter.parts.join(" AND "))
                .set_expression_attribute_names(Some(names))
                .set_expression_attribute_values(Some(values))
        }
    }

    /// Puts an item if the condition holds; [`Failure::Conflict`] when it does not.
    pub(super) async fn put(&self, item: Item, condition: If) -> Result<(), Failure> {
        let mark = format!("{:016x}", fastrand::u64(..));
        let item = item.text(MARK, &mark);
        let call = || async {
            let put = self
                .client
                .put_item()
                .table_name(&*self.name)
                .set_item(Some(item.0.clone()))
                .set_condition_expression(condition.expression().map(str::to_owned))
                .set_expression_attribute_names(condition.names())
                .set_expression_attribute_values(condition.values())
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
                .await;
            match put {
                Ok(_) => Ok(()),
                // An earlier try did it, and only its answer was lost.
                Err(error) if left_mark(&error, &mark) => Ok(()),
                Err(error) => Err(Failure::of(&error)),
            }
        };
        retrying(call).await
    }

    /// Deletes an item.
    pub(super) async fn delete(&self, key: &Key) -> Result<(), Failure> {
        let call = || async {
            let call = self.client.delete_item().table_name(&*self.name).set_key(Some(key.attributes()));
            call.send().await.map(drop).map_err(|error| Failure::of(&error))
        };
        retrying(call).await
    }

    /// Does all of this or nothing; [`Failure::Conflict`] when a condition does not hold.
    pub(super) async fn transact(&self, writes: &[Write]) -> Result<(), Failure> {
        let items: Vec<_> = writes.iter().map(|write| write.build(&self.name)).collect::<Result<_, _>>()?;
        // DynamoDB does what has the same token once.
        let token = format!("{:016x}{:016x}", fastrand::u64(..), fastrand::u64(..));
        let call = || async {
            let call = self.client.transact_write_items().set_transact_items(Some(items.clone()));
            let done = call.client_request_token(&token).send().await;
            done.map(drop).map_err(|error| Failure::of_transaction(&error))
        };
        retrying(call).await
    }

    /// Deletes items, each by itself.
    pub(super) async fn batch_delete(&self, keys: &[Key]) -> Result<(), Failure> {
        for keys in keys.chunks(BATCH_WRITES_MAX) {
            let request = |key: &Key| {
                let delete = DeleteRequest::builder().set_key(Some(key.attributes())).build();
                let delete = delete.map_err(|error| Failure::Refused(error.to_string()))?;
                Ok(WriteRequest::builder().delete_request(delete).build())
            };
            let mut left: Vec<WriteRequest> = keys.iter().map(request).collect::<Result<_, Failure>>()?;
            let mut pause = Pause::default();
            while !left.is_empty() {
                let wanted = &left;
                let call = || async {
                    let call = self.client.batch_write_item().request_items(&*self.name, wanted.clone());
                    call.send().await.map_err(|error| Failure::of(&error))
                };
                let answer = retrying(call).await?;
                left = answer.unprocessed_items.and_then(|mut all| all.remove(&*self.name)).unwrap_or_default();
                if !left.is_empty() {
                    pause.wait("deleting several items at once").await?;
                }
            }
        }
        Ok(())
    }
}

fn left_mark<R>(error: &SdkError<PutItemError, R>, mark: &str) -> bool {
    let Some(PutItemError::ConditionalCheckFailedException(failed)) = error.as_service_error() else { return false };
    let found = failed.item().and_then(|item| item.get(MARK)).and_then(|found| found.as_s().ok());
    found.is_some_and(|found| found == mark)
}

/// Pauses between tries.
#[derive(Debug)]
pub(super) struct Pause {
    tries: u32,
    tries_max: u32,
}

impl Default for Pause {
    fn default() -> Self {
        Self { tries: 0, tries_max: TRIES_MAX }
    }
}

impl Pause {
    /// For work that loses against others: one of them succeeds each time, so all do in the end.
    pub(super) const fn for_conflicts() -> Self {
        Self { tries: 0, tries_max: CONFLICTS_MAX }
    }

    /// Waits before the next try; an error when there were enough.
    pub(super) async fn wait(&mut self, what: &str) -> Result<(), Failure> {
        self.tries = self.tries.saturating_add(1);
        if self.tries >= self.tries_max {
            return Err(Failure::Throttled(format!("DynamoDB did not finish {what}")));
        }
        tokio::time::sleep(self.length()).await;
        Ok(())
    }

    /// Waits after a conflict.
    pub(super) async fn after_conflict(&mut self) -> Result<(), Failure> {
        self.wait("").await.map_err(|_| Failure::Conflict)
    }

    fn length(&self) -> Duration {
        let longest = PAUSE_MIN.saturating_mul(1 << self.tries.min(16)).min(PAUSE_MAX);
        longest.mul_f64(fastrand::f64())
    }
}

/// Tries what may pass again.
async fn retrying<T, F: Future<Output = Result<T, Failure>>>(call: impl Fn() -> F) -> Result<T, Failure> {
    let mut pause = Pause::default();
    loop {
        match call().await {
            Err(failure) if failure.passes() => {
                if pause.wait("").await.is_err() {
                    return Err(failure);
                }
            }
            done => return done,
        }
    }
}
