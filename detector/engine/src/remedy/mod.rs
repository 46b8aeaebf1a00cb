//! What to do about an alert: commands that repair and contain, and queries that dig further.
//!
//! Everything that comes from a record is quoted for the shell or for SQL before it is put into a command or a query.

use crate::{
    alert::{Alert, Query, Remediation},
    world::{Repair, World},
};

/// What repairs a state.
pub(crate) fn of_state(alert: &Alert, repair: &Repair, world: &World) -> Vec<Remediation> {
    let _ = (alert, repair, world);
    Vec::new()
}

/// What contains a principal.
pub(crate) fn of_principal(alert: &Alert) -> Vec<Remediation> {
    let _ = alert;
    Vec::new()
}

/// What digs further.
pub(crate) fn queries(alert: &Alert) -> Vec<Query> {
    let _ = alert;
    Vec::new()
}
