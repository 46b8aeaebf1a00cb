//! Resources of one account and region that knowledge bases, agents and deployed models stand on: how ARNs and requests
//! name each.
//!
//! ARN formats: AWS Service Authorization Reference, "Resource types defined by ..." of each service.

use serde::{Deserialize, Serialize};

use super::resource::ResourceKey;

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum RegionalKind {
    Function,
    Collection,
    SearchDomain,
    DbCluster,
    VectorBucket,
    /// Named `BUCKET/index/INDEX`.
    VectorIndex,
    Graph,
    /// By name: deletions may name it, or its ARN, which ends with six random letters.
    Secret,
    /// By the last part of its ARN, or by name.
    CustomModel,
}

use RegionalKind as K;

/// Kind, name in rules, service and beginning of the resource in an ARN; what begins like another comes before it.
const KINDS: [(RegionalKind, &str, &str, &str); 9] = [
    (K::Function, "lambda_function", "lambda", "function:"),
    (K::Collection, "opensearch_collection", "aoss", "collection/"),
    (K::SearchDomain, "opensearch_domain", "es", "domain/"),
    (K::DbCluster, "db_cluster", "rds", "cluster:"),
    (K::VectorIndex, "vector_index", "s3vectors", "bucket/"),
    (K::VectorBucket, "vector_bucket", "s3vectors", "bucket/"),
    (K::Graph, "neptune_graph", "neptune-graph", "graph/"),
    (K::Secret, "secret", "secretsmanager", "secret:"),
    (K::CustomModel, "custom_model", "bedrock", "custom-model/"),
];

impl RegionalKind {
    /// The name in rules.
    pub(crate) fn as_str(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("unknown", |(_, name, ..)| name)
    }

    /// As `account` and `region` know it: by name, or by ARN in part or whole.
    pub(crate) fn named(self, name: &str, account: &str, region: &str) -> ResourceKey {
        if let Some(key) = of_arn(name)
            && matches!(&key, ResourceKey::Regional { kind, .. } if *kind == self)
        {
            return key;
        }
        // Lambda takes `ACCOUNT:function:NAME` as well.
        let name = match self {
            Self::Function => {
                let name = name.rsplit_once("function:").map_or(name, |(_, name)| name);
                name.split(':').next().unwrap_or(name)
            }
            _ => name,
        };
        ResourceKey::Regional { kind: self, account: account.into(), region: region.into(), name: name.into() }
    }
}

/// The resource behind an ARN, if it is of a kind that something of Bedrock stands on.
pub(crate) fn of_arn(arn: &str) -> Option<ResourceKey> {
    let mut parts = arn.strip_prefix("arn:")?.splitn(5, ':');
    let (_, service, region, account, rest) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let found = KINDS.iter().filter(|(.., known, _)| *known == service);
    let (kind, name) =
        found.filter_map(|(kind, .., start)| Some((*kind, rest.strip_prefix(*start)?))).find(|(kind, name)| {
            // A vector index lies in its bucket.
            *kind != K::VectorIndex || name.contains("/index/")
        })?;
    let name = match kind {
        // What follows is a version or an alias.
        K::Function => name.split(':').next()?,
        K::Secret => without_suffix(name),
        _ => name,
    };
    Some(ResourceKey::Regional { kind, account: account.into(), region: region.into(), name: name.into() })
}

/// A secret's name without what Secrets Manager appends to it in ARNs: a hyphen and six random letters.
fn without_suffix(name: &str) -> &str {
    match name.rsplit_once('-') {
        Some((name, suffix)) if suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric()) => name,
        _ => name,
    }
}

/// The ARN of a resource; of a secret, all that is known of it.
pub(crate) fn arn_of(kind: RegionalKind, account: &str, region: &str, name: &str) -> String {
    let known = KINDS.iter().find(|(known, ..)| *known == kind);
    let (service, start) = known.map_or(("unknown", ""), |(.., service, start)| (*service, *start));
    format!("arn:{}:{service}:{region}:{account}:{start}{name}", partition(region))
}

/// The partition a region lies in.
pub(crate) fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_and_names_join() {
        let check = |arn: &str, kind: RegionalKind, name: &str| {
            let expected = kind.named(name, "111122223333", "us-east-1");
            assert_eq!(of_arn(arn), Some(expected.clone()), "{arn}");
            assert_eq!(kind.named(arn, "9", "eu-west-1"), expected, "{arn}");
        };
        check("arn:aws:lambda:us-east-1:111122223333:function:orders", K::Function, "orders");
        check(
            "arn:aws:lambda:us-east-1:111122223333:function:orders:live",
            K::Function,
            "111122223333:function:orders",
        );
        check("arn:aws:aoss:us-east-1:111122223333:collection/1a2b", K::Collection, "1a2b");
        check("arn:aws:es:us-east-1:111122223333:domain/docs", K::SearchDomain, "docs");
        check("arn:aws:rds:us-east-1:111122223333:cluster:kb", K::DbCluster, "kb");
        check("arn:aws:s3vectors:us-east-1:111122223333:bucket/v", K::VectorBucket, "v");
        check("arn:aws:s3vectors:us-east-1:111122223333:bucket/v/index/i", K::VectorIndex, "v/index/i");
        check("arn:aws:neptune-graph:us-east-1:111122223333:graph/g-1", K::Graph, "g-1");
        check("arn:aws:secretsmanager:us-east-1:111122223333:secret:kb/redis-aB3dE9", K::Secret, "kb/redis");
        assert_eq!(of_arn("arn:aws:s3:::bucket"), None);
        assert_eq!(of_arn("docs"), None);
        let arn = "arn:aws-cn:es:cn-north-1:1:domain/docs";
        assert_eq!(arn_of(K::SearchDomain, "1", "cn-north-1", "docs"), arn);
    }
}
