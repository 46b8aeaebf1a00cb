//! The keys of `[rules]` and of the section of each rule.

use super::{Key, Kind, Named, flag, number, optional_choice, optional_text, required_text, texts};

pub(super) const RULES: &[Key] = &[
    flag("builtin", true, "Whether the built-in rules are used."),
    optional_text("dir", "./rules", "A folder whose rules are added, or replace built-in rules of the same id."),
    Key {
        name: "disabled",
        kind: Kind::Texts { default: &[], choices: &[] },
        doc: "Ids of rules that are left out.",
        sample: "",
        required: false,
    },
    Key {
        name: "placeholders",
        kind: Kind::TextLists,
        doc: "Values for the placeholders of |expand in rules: %admins% stands for each of admins.",
        sample: "{ admins = [\"kim\", \"lee\"] }",
        required: false,
    },
    number(
        "reload_s",
        5,
        0,
        86_400,
        "How often it is looked whether rules or these sections have changed, in seconds; 0 only on SIGHUP. Rules that \
         cannot be used leave the old ones in place.",
    ),
];

pub(super) const RULE: Named = Named {
    what: "rule",
    sample: "invocation-burst",
    doc: "What is changed about one rule without editing it; `bedrock-watch rules show ID` prints its thresholds.",
    keys: &[
        Key {
            name: "mode",
            kind: Kind::Choice { default: Some("on"), choices: &["off", "shadow", "on"] },
            doc: "off: left out. shadow: judged, counted and logged, and told to nobody.",
            sample: "",
            required: false,
        },
        optional_choice(
            "level",
            &["informational", "low", "medium", "high", "critical"],
            "medium",
            "The level of a match instead of the rule's own; what the rule raises higher stays higher.",
        ),
        Key {
            name: "thresholds",
            kind: Kind::Numbers,
            doc: "Numbers that the rule compares with, by name.",
            sample: "{ invocations_60s = 200 }",
            required: false,
        },
    ],
    list: (
        "exclude",
        "What never matches the rule. Everything that is named must fit; * stands for any text.",
        &[
            texts("principals", "[\"arn:aws:iam::111122223333:role/nightly-*\"]", "Principals, as alerts name them."),
            texts("accounts", "[\"111122223333\"]", "Accounts."),
            Key {
                name: "fields",
                kind: Kind::TextLists,
                doc: "Values of fields, as rules name them, modifiers included.",
                sample: "{ \"requestParameters.modelId\" = [\"amazon.titan-*\"] }",
                required: false,
            },
            required_text("reason", "nightly load test, ticket 42", "Why, for those who wonder later."),
            optional_text(
                "expires",
                "2027-01-31T00:00:00Z",
                "From this time on it no longer holds; event time, or a date alone.",
            ),
        ],
    ),
};
