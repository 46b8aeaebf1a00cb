//! `[telemetry]`.

use super::{
    super::{
        read::Document,
        telemetry::{METRICS_EVERY_S, TIMEOUT_MS, Written, address},
    },
    Findings,
};

/// What the file says; what follows from it together with the environment is for [`super::super::Config::heeding`].
pub(super) fn telemetry(document: &Document, found: &mut Findings) -> Written {
    let table = document.table("telemetry");
    let endpoint = table.text("endpoint");
    if endpoint.as_deref().is_some_and(|endpoint| address(endpoint).is_none()) {
        let message = "`endpoint` must be an address such as http://127.0.0.1:4318, beginning with http:// or https://";
        found.error(document, &table, "endpoint", message);
    }
    let mut written = Written {
        endpoint,
        protocol: table.text("protocol"),
        headers: table.secrets("headers"),
        timeout_ms: Some(table.number("timeout_ms")).filter(|written| *written != TIMEOUT_MS),
        metrics_interval_s: Some(table.number("metrics_interval_s")).filter(|written| *written != METRICS_EVERY_S),
        has_traces: table.flag("traces"),
        has_metrics: table.flag("metrics"),
        batches_sampled_per_million: table.number_u32("batches_sampled_per_million"),
        region: document.table("aws").text("region"),
        ..Written::default()
    };
    for text in table.texts("resource") {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                written.resource.insert(name.trim().to_owned(), value.trim().to_owned());
            }
            _ => {
                let message = format!("`{text}` is not of the form name=value");
                found.error(document, &table, "resource", message);
            }
        }
    }
    written
}
