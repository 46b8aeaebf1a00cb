//! `[incidents]` and `[contacts]`.

use ipnet::IpNet;

use super::{super::read::Document, Findings};
use crate::incident::{Contacts, Joining, SupportPlan};

/// How alerts are joined.
pub(super) fn incidents(document: &Document, found: &mut Findings) -> Joining {
    let table = document.table("incidents");
    let mut shared_addresses = Vec::new();
    for text in table.texts("shared_addresses") {
        match network(&text) {
            Some(network) => shared_addresses.push(network),
            None => {
                let message = format!("`{text}` is no address and no network such as 203.0.113.0/24");
                found.error(document, &table, "shared_addresses", message);
            }
        }
    }
    Joining {
        gap_s: table.number_u32("gap_s"),
        address_principals_max: table.number_usize("address_principals_max"),
        shared_addresses,
    }
}

fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<std::net::IpAddr>().ok().map(IpNet::from))
}

/// Who to turn to.
pub(super) fn contacts(document: &Document) -> Contacts {
    let table = document.table("contacts");
    let plan = table.text("support_plan");
    Contacts {
        support_plan: SupportPlan::ALL.into_iter().find(|known| Some(known.as_str()) == plan.as_deref()),
        business_impact: table.text("business_impact"),
        engagement: table.text("engagement"),
        security: table.text("security"),
        alternate_security: table.text("alternate_security"),
        account_team: table.text("account_team"),
        case: table.texts("case"),
    }
}
