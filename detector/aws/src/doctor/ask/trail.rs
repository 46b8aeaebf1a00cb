//! Trails and what they log.

use std::collections::BTreeSet;

use aws_config::SdkConfig;
use aws_sdk_cloudtrail::{
    Client,
    types::{AdvancedEventSelector, EventSelector, ReadWriteType},
};

use super::refused;
use crate::doctor::facts::{Asked, Selectors, Trail};

/// The trails that concern the configuration's region, those of other regions and of the organization included.
pub(super) async fn ask(config: &SdkConfig) -> Asked<Vec<Trail>> {
    let client = Client::new(config);
    let described = client.describe_trails().include_shadow_trails(true).send().await;
    let described = described.map_err(|error| refused("cloudtrail:DescribeTrails", &error))?;
    let mut trails = Vec::new();
    for trail in described.trail_list() {
        let arn = trail.trail_arn().or_else(|| trail.name()).unwrap_or_default().to_owned();
        let (logging, selectors) = tokio::join!(logging(&client, &arn), selectors(&client, &arn));
        trails.push(Trail {
            multi_region: trail.is_multi_region_trail().unwrap_or_default(),
            organization: trail.is_organization_trail().unwrap_or_default(),
            bucket: trail.s3_bucket_name().map(str::to_owned),
            global_services: trail.include_global_service_events().unwrap_or_default(),
            arn,
            logging,
            selectors,
        });
    }
    Ok(trails)
}

async fn logging(client: &Client, arn: &str) -> Asked<bool> {
    let status = client.get_trail_status().name(arn).send().await;
    let status = status.map_err(|error| refused("cloudtrail:GetTrailStatus", &error))?;
    Ok(status.is_logging().unwrap_or_default())
}

async fn selectors(client: &Client, arn: &str) -> Asked<Selectors> {
    let asked = client.get_event_selectors().trail_name(arn).send().await;
    let asked = asked.map_err(|error| refused("cloudtrail:GetEventSelectors", &error))?;
    let mut selectors = Selectors::default();
    asked.event_selectors().iter().for_each(|selector| basic(&mut selectors, selector));
    asked.advanced_event_selectors().iter().for_each(|selector| advanced(&mut selectors, selector));
    Ok(selectors)
}

fn basic(selectors: &mut Selectors, selector: &EventSelector) {
    if selector.include_management_events() != Some(false) {
        let kind = selector.read_write_type().unwrap_or(&ReadWriteType::All);
        selectors.management_reads |= matches!(kind, ReadWriteType::All | ReadWriteType::ReadOnly);
        selectors.management_writes |= matches!(kind, ReadWriteType::All | ReadWriteType::WriteOnly);
        selectors.excluded_sources.extend(selector.exclude_management_event_sources().iter().cloned());
    }
    let types = selector.data_resources().iter().filter_map(|resource| resource.r#type());
    selectors.data_resource_types.extend(types.map(str::to_owned));
}

fn advanced(selectors: &mut Selectors, selector: &AdvancedEventSelector) {
    let equals = |field: &str| -> BTreeSet<String> {
        let fields = selector.field_selectors().iter().filter(|known| known.field() == field);
        fields.flat_map(|known| known.equals().iter().cloned()).collect()
    };
    let category = equals("eventCategory");
    if category.contains("Data") {
        selectors.data_resource_types.extend(equals("resources.type"));
    }
    if !category.contains("Management") {
        return;
    }
    let read_only = equals("readOnly");
    selectors.management_reads |= read_only.is_empty() || read_only.contains("true");
    selectors.management_writes |= read_only.is_empty() || read_only.contains("false");
    let sources = selector.field_selectors().iter().filter(|known| known.field() == "eventSource");
    selectors.excluded_sources.extend(sources.flat_map(|known| known.not_equals().iter().cloned()));
}
