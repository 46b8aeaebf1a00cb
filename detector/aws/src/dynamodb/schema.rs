//! The table itself: made if there is none, checked if there is one.
//!
//! One table for everything, charged by use. Two local indexes, because only these can be read consistently: what was
//! committed must be claimed at once. Deliberately no deletion and no change of a table that is there.

use std::time::Duration;

use aws_sdk_dynamodb::{
    operation::create_table::CreateTableError,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, LocalSecondaryIndex, Projection, ProjectionType,
        ScalarAttributeType, TableDescription, TableStatus, TimeToLiveSpecification,
    },
};

use super::{
    failure::Failure,
    item::{DUE, EXPIRES, Item, Key, ORDER, PK, SK},
    table::{BY_DUE, BY_ORDER, If, Table},
};

/// The version of the table's format.
const FORMAT: u32 = 1;
/// How long a table may take to be made.
const MADE_WITHIN: Duration = Duration::from_secs(120);
/// Between two looks at a table that is being made.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// What the index `by_order` knows of an item beside its keys: what lists are filtered by, and what is counted.
const LISTED: [&str; 9] = [DUE, "status", "severity", "rule", "account", "principal", "wanted", "delivered", "since"];

/// Makes sure that the table is there and ours.
pub(super) async fn establish(table: &Table) -> Result<(), Failure> {
    if describe(table).await?.is_none() {
        create(table).await?;
    }
    let deadline = tokio::time::Instant::now().checked_add(MADE_WITHIN);
    let description = loop {
        let found = describe(table).await?;
        if let Some(found) = found.filter(|found| found.table_status() == Some(&TableStatus::Active)) {
            break found;
        }
        if deadline.is_none_or(|deadline| tokio::time::Instant::now() >= deadline) {
            return Err(Failure::Refused("it is still not active; look at it in the console".to_owned()));
        }
        tokio::time::sleep(LOOK_EVERY).await;
    };
    check_keys(&description)?;
    check_format(table).await?;
    expire(table).await;
    Ok(())
}

async fn describe(table: &Table) -> Result<Option<TableDescription>, Failure> {
    match table.client().describe_table().table_name(table.name()).send().await {
        Ok(answer) => Ok(answer.table),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) => Ok(None),
        Err(error) => Err(Failure::of(&error)),
    }
}

async fn create(table: &Table) -> Result<(), Failure> {
    let refused = |error: aws_sdk_dynamodb::error::BuildError| Failure::Refused(error.to_string());
    let attribute =
        |name: &str| AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build();
    let key = |name: &str, kind: KeyType| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    let index = |name: &str, sort_key: &str, known: &[&str]| {
        let known = known.iter().map(|name| (*name).to_owned()).collect();
        let projection =
            Projection::builder().projection_type(ProjectionType::Include).set_non_key_attributes(Some(known)).build();
        LocalSecondaryIndex::builder()
            .index_name(name)
            .key_schema(key(PK, KeyType::Hash)?)
            .key_schema(key(sort_key, KeyType::Range)?)
            .projection(projection)
            .build()
    };
    let call = table
        .client()
        .create_table()
        .table_name(table.name())
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute(PK).map_err(refused)?)
        .attribute_definitions(attribute(SK).map_err(refused)?)
        .attribute_definitions(attribute(ORDER).map_err(refused)?)
        .attribute_definitions(attribute(DUE).map_err(refused)?)
        .key_schema(key(PK, KeyType::Hash).map_err(refused)?)
        .key_schema(key(SK, KeyType::Range).map_err(refused)?)
        .local_secondary_indexes(index(BY_ORDER, ORDER, &LISTED).map_err(refused)?)
        .local_secondary_indexes(index(BY_DUE, DUE, &[ORDER]).map_err(refused)?);
    match call.send().await {
        Ok(_) => {
            tracing::info!(table = table.name(), "the store's table was made");
            Ok(())
        }
        // Another worker makes it.
        Err(error) if matches!(error.as_service_error(), Some(CreateTableError::ResourceInUseException(_))) => Ok(()),
        Err(error) => Err(Failure::of(&error)),
    }
}

fn check_keys(description: &TableDescription) -> Result<(), Failure> {
    let keys = |schema: &[KeySchemaElement]| -> Vec<String> {
        schema.iter().map(|element| element.attribute_name().to_owned()).collect()
    };
    let index = |name: &str, sort_key: &str| {
        let mut all = description.local_secondary_indexes().iter();
        all.any(|index| index.index_name() == Some(name) && keys(index.key_schema()) == [PK, sort_key])
    };
    if keys(description.key_schema()) == [PK, SK] && index(BY_ORDER, ORDER) && index(BY_DUE, DUE) {
        return Ok(());
    }
    Err(Failure::Foreign(format!(
        "its keys are not `{PK}` and `{SK}` with the local indexes {BY_ORDER} (`{ORDER}`) and {BY_DUE} (`{DUE}`)"
    )))
}

async fn check_format(table: &Table) -> Result<(), Failure> {
    let key = Key::new("meta", "format");
    match table.get(&key).await? {
        None => match table.put(Item::at(&key).number("format", FORMAT), If::Absent).await {
            // Another worker of the same version may have come first; of another one is found at the next start.
            Ok(()) | Err(Failure::Conflict) => Ok(()),
            Err(failure) => Err(failure),
        },
        Some(item) => match item.get_number::<u32>("format")? {
            FORMAT => Ok(()),
            other => Err(Failure::Foreign(format!("its format is {other}, and this version reads {FORMAT}"))),
        },
    }
}

/// Items that have a time to end are deleted by DynamoDB. Without the right to say so they stay, which only costs.
async fn expire(table: &Table) {
    let known = table.client().describe_time_to_live().table_name(table.name()).send().await;
    let description = known.ok().and_then(|known| known.time_to_live_description);
    if description.is_some_and(|known| known.attribute_name().is_some()) {
        return;
    }
    let Ok(specification) = TimeToLiveSpecification::builder().enabled(true).attribute_name(EXPIRES).build() else {
        return;
    };
    let call = table.client().update_time_to_live().table_name(table.name()).time_to_live_specification(specification);
    if let Err(error) = call.send().await {
        let reason = Failure::of(&error);
        tracing::warn!(table = table.name(), ?reason, "items that have ended are not deleted from the table");
    }
}
