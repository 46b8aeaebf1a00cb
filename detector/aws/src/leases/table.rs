//! The table of leases: what is asked of it, and how DynamoDB is asked.
//!
//! Attribute names and meanings are those of the Kinesis Client Library 2.x, so that its tools can read the table.
//! Attributes that only later versions write are left as they are. Deliberately few tries: the protocol itself asks
//! again, and an answer that comes late is worth nothing.

use std::{collections::HashMap, fmt, time::Duration};

use async_trait::async_trait;
use aws_config::{SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_sdk_dynamodb::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    operation::{
        create_table::CreateTableError,
        put_item::PutItemError,
        update_item::{UpdateItemError, builders::UpdateItemFluentBuilder},
    },
    types::{
        AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, TableStatus,
    },
};
use aws_smithy_types::error::display::DisplayErrorContext;

use super::row::{Change, Checkpoint, Row};

/// How long one call may take, its retries included.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// Attempts within that time.
const ATTEMPTS: u32 = 2;
/// How long making the table may take.
const MADE_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at a table that is being made.
const LOOK_EVERY: Duration = Duration::from_millis(500);

const SHARD: &str = "leaseKey";
const OWNER: &str = "leaseOwner";
const COUNTER: &str = "leaseCounter";
const SWITCHES: &str = "ownerSwitchesSinceCheckpoint";
const CHECKPOINT: &str = "checkpoint";
const SUB_SEQUENCE: &str = "checkpointSubSequenceNumber";
const PARENTS: &str = "parentShardId";
const CHILDREN: &str = "childShardIds";
const FIRST_HASH_KEY: &str = "startingHashKey";
const LAST_HASH_KEY: &str = "endingHashKey";
/// Rows that are no leases (3.5 and later) say so here.
const KIND: &str = "entityType";

/// Why the table could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the lease table {table}: {reason}")]
pub struct LeaseError {
    /// Its name.
    pub table: String,
    /// What went wrong.
    pub reason: String,
}

/// A conditional write: done, or refused because the row is so.
pub type Written = Result<(), Option<Row>>;

/// A table of leases.
#[async_trait]
pub trait LeaseTable: fmt::Debug + Send + Sync + 'static {
    /// All rows.
    async fn scan(&self) -> Result<Vec<Row>, LeaseError>;

    /// One row.
    async fn read(&self, shard: &str) -> Result<Option<Row>, LeaseError>;

    /// Makes a row if the shard has none.
    async fn create(&self, row: &Row) -> Result<Written, LeaseError>;

    /// Changes a row if its counter is this one.
    async fn update(&self, shard: &str, counter: u64, change: &Change) -> Result<Written, LeaseError>;

    /// Removes a row if its counter is this one.
    async fn remove(&self, shard: &str, counter: u64) -> Result<Written, LeaseError>;
}

/// The table in DynamoDB.
#[derive(Debug, Clone)]
pub struct DynamoLeases {
    client: Client,
    table: String,
}

impl DynamoLeases {
    /// Opens the table, and makes it if there is none.
    ///
    /// # Errors
    /// When it cannot be made or read, or is no table of leases.
    pub async fn open(sdk: &SdkConfig, table: &str) -> Result<Self, LeaseError> {
        let timeouts = sdk.timeout_config().map_or_else(TimeoutConfig::builder, TimeoutConfig::to_builder);
        let config = aws_sdk_dynamodb::config::Builder::from(sdk)
            .timeout_config(timeouts.operation_timeout(CALL_TIMEOUT).build())
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .build();
        let leases = Self { client: Client::from_conf(config), table: table.to_owned() };
        leases.establish().await?;
        Ok(leases)
    }

    async fn establish(&self) -> Result<(), LeaseError> {
        let deadline = tokio::time::Instant::now().checked_add(MADE_WITHIN);
        let mut is_made = false;
        loop {
            let described = self.client.describe_table().table_name(&self.table).send().await;
            let found = match described {
                Ok(answer) => answer.table,
                Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => {
                    if !is_made {
                        self.make().await?;
                        is_made = true;
                    }
                    None
                }
                Err(error) => return Err(self.failed(&error)),
            };
            if let Some(table) = found.filter(|table| table.table_status() == Some(&TableStatus::Active)) {
                let keys: Vec<&str> = table.key_schema().iter().map(KeySchemaElement::attribute_name).collect();
                return if keys == [SHARD] {
                    Ok(())
                } else {
                    Err(self.error(format!("its key is {keys:?} and not {SHARD}: choose another [leases] table")))
                };
            }
            if deadline.is_none_or(|deadline| tokio::time::Instant::now() >= deadline) {
                return Err(self.error("it is still not active; look at it in the console".to_owned()));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn make(&self) -> Result<(), LeaseError> {
        let unbuilt = |error: aws_sdk_dynamodb::error::BuildError| self.error(error.to_string());
        let attribute = AttributeDefinition::builder().attribute_name(SHARD).attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(SHARD).key_type(KeyType::Hash);
        let call = self
            .client
            .create_table()
            .table_name(&self.table)
            .billing_mode(BillingMode::PayPerRequest)
            .attribute_definitions(attribute.build().map_err(unbuilt)?)
            .key_schema(key.build().map_err(unbuilt)?);
        match call.send().await {
            Ok(_) => Ok(()),
            // Another worker makes it.
            Err(error) if matches!(error.as_service_error(), Some(CreateTableError::ResourceInUseException(_))) => {
                Ok(())
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    fn error(&self, reason: String) -> LeaseError {
        LeaseError { table: self.table.clone(), reason }
    }

    fn failed<E, R>(&self, error: &SdkError<E, R>) -> LeaseError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: fmt::Debug,
    {
        let answered = error.code().map(|code| format!("{code}: {}", error.message().unwrap_or("no reason given")));
        self.error(answered.unwrap_or_else(|| DisplayErrorContext(error).to_string()))
    }

    /// The row as it stands, after a condition failed.
    async fn refused(&self, shard: &str) -> Result<Written, LeaseError> {
        Ok(Err(self.read(shard).await?))
    }

    fn changing(&self, shard: &str, counter: u64, change: &Change) -> UpdateItemFluentBuilder {
        let mut set = vec!["#n = :n"];
        let mut remove = "";
        let mut call = self
            .client
            .update_item()
            .table_name(&self.table)
            .key(SHARD, text(shard))
            .condition_expression("#n = :o")
            .expression_attribute_names("#n", COUNTER)
            .expression_attribute_values(":o", number(counter))
            .expression_attribute_values(":n", number(counter.saturating_add(1)));
        match change {
            Change::Renew => {}
            Change::Take { owner, switches } => {
                set.push("#w = :w, #s = if_not_exists(#s, :z) + :s");
                call = call
                    .expression_attribute_names("#w", OWNER)
                    .expression_attribute_values(":w", text(owner))
                    .expression_attribute_names("#s", SWITCHES)
                    .expression_attribute_values(":z", number(0))
                    .expression_attribute_values(":s", number(u64::from(*switches)));
            }
            Change::Checkpoint(checkpoint) => {
                set.push("#c = :c, #b = :z, #s = :z");
                call = checkpointed(call, checkpoint);
            }
            Change::End(children) => {
                set.push("#c = :c, #b = :z, #s = :z");
                call = checkpointed(call, &Checkpoint::ShardEnd);
                if !children.is_empty() {
                    set.push("#k = :k");
                    call = call
                        .expression_attribute_names("#k", CHILDREN)
                        .expression_attribute_values(":k", AttributeValue::Ss(children.clone()));
                }
                remove = " REMOVE #w";
                call = call.expression_attribute_names("#w", OWNER);
            }
            Change::Release => {
                remove = " REMOVE #w";
                call = call.expression_attribute_names("#w", OWNER);
            }
        }
        call.update_expression(format!("SET {}{remove}", set.join(", ")))
    }
}

fn checkpointed(call: UpdateItemFluentBuilder, checkpoint: &Checkpoint) -> UpdateItemFluentBuilder {
    call.expression_attribute_names("#c", CHECKPOINT)
        .expression_attribute_values(":c", text(&checkpoint.to_string()))
        .expression_attribute_names("#b", SUB_SEQUENCE)
        .expression_attribute_names("#s", SWITCHES)
        .expression_attribute_values(":z", number(0))
}

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn to_item(row: &Row) -> HashMap<String, AttributeValue> {
    let mut item: HashMap<String, AttributeValue> = [
        (SHARD, text(&row.shard)),
        (COUNTER, number(row.counter)),
        (SWITCHES, number(row.switches)),
        (CHECKPOINT, text(&row.checkpoint.to_string())),
        (SUB_SEQUENCE, number(0)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    let mut add = |name: &str, value: Option<AttributeValue>| {
        if let Some(value) = value {
            item.insert(name.to_owned(), value);
        }
    };
    // DynamoDB knows no empty sets.
    let set = |all: &[String]| Some(all.to_vec()).filter(|all| !all.is_empty()).map(AttributeValue::Ss);
    add(OWNER, row.owner.as_deref().map(text));
    add(PARENTS, set(&row.parents));
    add(CHILDREN, set(&row.children));
    add(FIRST_HASH_KEY, row.hash_keys.as_ref().map(|(first, _)| text(first)));
    add(LAST_HASH_KEY, row.hash_keys.as_ref().map(|(_, last)| text(last)));
    item
}

/// The lease in an item; `None` for items that are something else.
fn of_item(item: &HashMap<String, AttributeValue>) -> Option<Row> {
    let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
    let number = |name: &str| item.get(name).and_then(|value| value.as_n().ok()?.parse::<u64>().ok());
    let set = |name: &str| item.get(name).and_then(|value| value.as_ss().ok()).cloned().unwrap_or_default();
    if text(KIND).is_some_and(|kind| kind != "LEASE") {
        return None;
    }
    Some(Row {
        shard: text(SHARD)?,
        owner: text(OWNER),
        counter: number(COUNTER)?,
        switches: number(SWITCHES).unwrap_or(0),
        checkpoint: Checkpoint::parse(&text(CHECKPOINT)?),
        parents: set(PARENTS),
        children: set(CHILDREN),
        hash_keys: text(FIRST_HASH_KEY).zip(text(LAST_HASH_KEY)),
    })
}

#[async_trait]
impl LeaseTable for DynamoLeases {
    async fn scan(&self) -> Result<Vec<Row>, LeaseError> {
        let mut rows = Vec::new();
        let mut start = None;
        loop {
            let call = self.client.scan().table_name(&self.table).consistent_read(true);
            let answer = call.set_exclusive_start_key(start).send().await.map_err(|error| self.failed(&error))?;
            rows.extend(answer.items().iter().filter_map(of_item));
            start = answer.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                rows.sort_by(|one, other| one.shard.cmp(&other.shard));
                return Ok(rows);
            }
        }
    }

    async fn read(&self, shard: &str) -> Result<Option<Row>, LeaseError> {
        let call = self.client.get_item().table_name(&self.table).key(SHARD, text(shard)).consistent_read(true);
        let answer = call.send().await.map_err(|error| self.failed(&error))?;
        Ok(answer.item.as_ref().and_then(of_item))
    }

    async fn create(&self, row: &Row) -> Result<Written, LeaseError> {
        let call = self.client.put_item().table_name(&self.table).set_item(Some(to_item(row)));
        let call = call.condition_expression("attribute_not_exists(#k)").expression_attribute_names("#k", SHARD);
        match call.send().await {
            Ok(_) => Ok(Ok(())),
            Err(error)
                if matches!(error.as_service_error(), Some(PutItemError::ConditionalCheckFailedException(_))) =>
            {
                self.refused(&row.shard).await
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn update(&self, shard: &str, counter: u64, change: &Change) -> Result<Written, LeaseError> {
        match self.changing(shard, counter, change).send().await {
            Ok(_) => Ok(Ok(())),
            Err(error)
                if matches!(error.as_service_error(), Some(UpdateItemError::ConditionalCheckFailedException(_))) =>
            {
                self.refused(shard).await
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    async fn remove(&self, shard: &str, counter: u64) -> Result<Written, LeaseError> {
        let call = self.client.delete_item().table_name(&self.table).key(SHARD, text(shard));
        let call = call.condition_expression("#n = :o").expression_attribute_names("#n", COUNTER);
        match call.expression_attribute_values(":o", number(counter)).send().await {
            Ok(_) => Ok(Ok(())),
            Err(error) if error.code() == Some("ConditionalCheckFailedException") => self.refused(shard).await,
            Err(error) => Err(self.failed(&error)),
        }
    }
}
