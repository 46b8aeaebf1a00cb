//! Who to turn to, and what a support case asks for besides what happened.

/// A support plan of AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SupportPlan {
    /// Without a paid plan.
    Basic,
    /// Developer Support.
    Developer,
    /// Business Support.
    Business,
    /// Enterprise On-Ramp.
    EnterpriseOnRamp,
    /// Enterprise Support.
    Enterprise,
}

impl SupportPlan {
    /// Every plan.
    pub const ALL: [Self; 5] = [Self::Basic, Self::Developer, Self::Business, Self::EnterpriseOnRamp, Self::Enterprise];

    /// The name in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Basic => "basic",
            Self::Developer => "developer",
            Self::Business => "business",
            Self::EnterpriseOnRamp => "enterprise_on_ramp",
            Self::Enterprise => "enterprise",
        }
    }

    /// The severity to choose for a security event, in the words of the AWS playbook for Bedrock security events; it
    /// names none for the smaller plans.
    #[must_use]
    pub const fn case_severity(self) -> &'static str {
        match self {
            Self::Enterprise | Self::EnterpriseOnRamp => "Critical Business Risk Question",
            Self::Business => "Urgent Business Risk Question",
            Self::Basic | Self::Developer => "the highest that the form offers",
        }
    }
}

/// What the configuration says for a support case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contacts {
    /// The support plan, if it is known.
    pub support_plan: Option<SupportPlan>,
    /// What an incident means for the business.
    pub business_impact: Option<String>,
    /// Who in the organisation is engaged.
    pub engagement: Option<String>,
    /// Who answers for security.
    pub security: Option<String>,
    /// The alternate security contact of the accounts.
    pub alternate_security: Option<String>,
    /// The account team at AWS.
    pub account_team: Option<String>,
    /// Further contacts for the case.
    pub case: Vec<String>,
}
