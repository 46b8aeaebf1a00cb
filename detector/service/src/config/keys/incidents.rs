//! The keys of incidents and of those to turn to.

use super::{Key, number, optional_choice, optional_text, texts};

pub(super) const INCIDENTS: &[Key] = &[
    number(
        "gap_s",
        21_600,
        60,
        604_800,
        "Alerts that share a principal, access key, address or person are one incident while less than this lies \
         between them, in seconds.",
    ),
    number(
        "address_principals_max",
        20,
        1,
        10_000,
        "An address from which alerts about more principals come within that time ties none of them together.",
    ),
    texts(
        "shared_addresses",
        "[\"203.0.113.0/24\"]",
        "Addresses that many people share, such as the company's way to the internet: they tie nothing together.",
    ),
];

pub(super) const CONTACTS: &[Key] = &[
    optional_choice(
        "support_plan",
        &["basic", "developer", "business", "enterprise_on_ramp", "enterprise"],
        "enterprise",
        "The AWS support plan; the severity of a support case follows from it.",
    ),
    optional_text(
        "business_impact",
        "The assistant of the web shop answers nobody.",
        "What an incident means for you.",
    ),
    optional_text("engagement", "The CISO is informed.", "Who in the organisation is engaged, for the support case."),
    optional_text("security", "security@example.com", "Who answers for security here."),
    optional_text(
        "alternate_security",
        "soc@example.com",
        "The alternate security contact that is set in the AWS accounts.",
    ),
    optional_text("account_team", "tam@example.com", "The account team at AWS, who can escalate."),
    texts("case", "[\"ada@example.com\"]", "Further contacts for the support case."),
];
