//! AWS's partitions: how ARNs begin in a region, and which of its partition's regions has the events of global services.
//!
//! Deliberately by the region's name alone, which is known before anything has been asked.

/// Where a partition's regions begin alike: what ARNs name it, and the region in which IAM logs.
const PARTITIONS: [(&str, &str, &str); 4] = [
    ("cn-", "aws-cn", "cn-north-1"),
    ("us-gov-", "aws-us-gov", "us-gov-west-1"),
    ("us-iso-", "aws-iso", "us-iso-east-1"),
    ("us-isob-", "aws-iso-b", "us-isob-east-1"),
];

/// The partition of `region`, as ARNs have it.
#[must_use]
pub(crate) fn name(region: &str) -> &'static str {
    of(region).0
}

/// The region of its partition in which IAM and other global services log.
#[must_use]
pub(crate) fn global_region(region: &str) -> &'static str {
    of(region).1
}

fn of(region: &str) -> (&'static str, &'static str) {
    let found = PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix));
    found.map_or(("aws", "us-east-1"), |(_, name, global)| (name, global))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_of_every_partition() {
        let check = |region: &str, expected: (&str, &str)| {
            assert_eq!((name(region), global_region(region)), expected, "{region}");
        };
        check("eu-central-1", ("aws", "us-east-1"));
        check("", ("aws", "us-east-1"));
        check("cn-northwest-1", ("aws-cn", "cn-north-1"));
        check("us-gov-east-1", ("aws-us-gov", "us-gov-west-1"));
        check("us-iso-west-1", ("aws-iso", "us-iso-east-1"));
        check("us-isob-east-1", ("aws-iso-b", "us-isob-east-1"));
    }
}
