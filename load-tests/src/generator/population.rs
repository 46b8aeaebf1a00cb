//! Who calls: users and sessions of roles over forty accounts, each made from its number so that a million need no memory.

use rand::{Rng, SeedableRng, rngs::StdRng};

use super::words::{hex, key_id};

/// Caller n belongs to account n modulo this.
const ACCOUNTS: u64 = 40;
const ROLES: [&str; 8] = [
    "EksNodeRole",
    "lambda-ingest-prod",
    "GitHubActionsDeploy",
    "DataScienceNotebook",
    "AWSReservedSSO_PowerUserAccess_0a1b2c3d4e5f6a7b",
    "bedrock-app-task-role",
    "OrganizationAccountAccessRole",
    "datadog-integration",
];

/// The callers of a stream.
#[derive(Debug)]
pub struct Population {
    /// Cumulative weights by Zipf's law.
    cumulative: Vec<f64>,
    /// Whether callers are sessions of a few roles, or each has a role of its own.
    shares_roles: bool,
}

/// One caller.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) account: String,
    pub(super) arn: String,
    /// The normalised name under which the caller appears in alerts.
    pub(super) principal: String,
    /// `userIdentity` as JSON.
    pub(super) identity: String,
}

impl Population {
    /// `size` callers, at least one: users, people, and machines that share the roles of their account, as most do.
    #[must_use]
    pub fn new(size: u32) -> Self {
        let weights = (1..=size.max(1)).scan(0.0, |sum, rank| {
            *sum += f64::from(rank).powf(-0.9);
            Some(*sum)
        });
        Self { cumulative: weights.collect(), shares_roles: true }
    }

    /// `size` callers of which each is a principal of its own: the most there is to remember.
    #[must_use]
    pub fn distinct(size: u32) -> Self {
        Self { shares_roles: false, ..Self::new(size) }
    }

    /// How many callers.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a population is never empty")]
    pub const fn len(&self) -> usize {
        self.cumulative.len()
    }

    /// The name of a caller in alerts.
    #[must_use]
    pub fn principal(&self, index: usize) -> String {
        self.caller(index).principal
    }

    /// The ARN of a caller in records.
    #[must_use]
    pub fn arn(&self, index: usize) -> String {
        self.caller(index).arn
    }

    /// The number of a caller, the first ones far more often than the last.
    pub(super) fn pick(&self, random: &mut impl Rng) -> usize {
        let total = self.cumulative.last().copied().unwrap_or(1.0);
        let point = random.random_range(0.0..total);
        self.cumulative.partition_point(|sum| *sum <= point)
    }

    /// The caller of that number, always the same.
    pub(super) fn caller(&self, index: usize) -> Caller {
        self.in_session(index, None)
    }

    /// A session of the same role as the caller of that number, with a name and a key of its own.
    pub(super) fn new_session(&self, index: usize, session: u64) -> Caller {
        // Every tenth caller is a user and has no sessions.
        let index = if index.is_multiple_of(10) { index.saturating_add(1) } else { index };
        self.in_session(index, Some(session))
    }

    fn in_session(&self, index: usize, session: Option<u64>) -> Caller {
        let number = u64::try_from(index).unwrap_or_default();
        // Counted from the other end, so that keys of new sessions are not those of callers.
        let mut random = StdRng::seed_from_u64(session.map_or(number, |session| !session));
        let account = format!("{:012}", 111_122_223_333 + (number % ACCOUNTS) * 7_919);
        let role = ROLES.get(index % ROLES.len()).copied().unwrap_or_default();
        let role = if self.shares_roles { role.to_owned() } else { format!("{role}-{index}") };
        let key_prefix = if index.is_multiple_of(10) { "AKIA" } else { "ASIA" };
        let key = key_id(&mut random, key_prefix);
        if index.is_multiple_of(10) {
            let arn = format!("arn:aws:iam::{account}:user/user{index}");
            let id = key_id(&mut random, "AIDA");
            let identity = format!(
                r#"{{"type":"IAMUser","principalId":"{id}","arn":"{arn}","accountId":"{account}","accessKeyId":"{key}","userName":"user{index}"}}"#
            );
            return Caller { account, principal: arn.clone(), arn, identity };
        }
        let session = match index % 10 {
            _ if session.is_some() => format!("run-{}", session.unwrap_or_default()),
            1..5 => format!("i-0{}", hex(&mut random, 16)),
            5..8 => format!("svc-{index}"),
            _ => format!("dev{index}@corp.example.com"),
        };
        let id = key_id(&mut random, "AROA");
        let arn = format!("arn:aws:sts::{account}:assumed-role/{role}/{session}");
        let delivery = if index % 10 < 5 { r#","ec2RoleDelivery":"2.0""# } else { "" };
        let identity = format!(
            r#"{{"type":"AssumedRole","principalId":"{id}:{session}","arn":"{arn}","accountId":"{account}","accessKeyId":"{key}","sessionContext":{{"sessionIssuer":{{"type":"Role","principalId":"{id}","arn":"arn:aws:iam::{account}:role/{role}","accountId":"{account}","userName":"{role}"}},"attributes":{{"creationDate":"2026-10-31T22:11:09Z","mfaAuthenticated":"false"}}{delivery}}}}}"#
        );
        let shared = if role.starts_with("AWSReservedSSO_") { format!("/{session}") } else { String::new() };
        let principal = format!("arn:aws:iam::{account}:role/{role}{shared}");
        Caller { account, arn, principal, identity }
    }
}
