//! Where a call came from, coarse enough to stay the same for one site and one program.

use std::net::IpAddr;

use crate::{activity::ApiCall, hashing::short_hash_of};

/// Where a call came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Origin {
    /// A hash of the network: the first 24 bits of an IPv4 address, because that is the smallest block that is routed
    /// on its own, or the first 48 of an IPv6 address, which is what one site is given (RFC 6177).
    pub(crate) network: u32,
    /// A hash of the name of the program, without its version.
    pub(crate) user_agent: u32,
}

impl Origin {
    /// Where a call came from; `None` for the console and for AWS services, whose addresses say nothing about the
    /// caller.
    pub(crate) fn of(call: &ApiCall<'_>) -> Option<Self> {
        if call.from_console {
            return None;
        }
        let network = match call.source_ip.as_deref()?.parse().ok()? {
            IpAddr::V4(v4) => {
                let [a, b, c, _] = v4.octets();
                short_hash_of(&[a, b, c])
            }
            IpAddr::V6(v6) => {
                let [a, b, c, ..] = v6.segments();
                short_hash_of(&[a, b, c])
            }
        };
        Some(Self { network, user_agent: short_hash_of(family(call.user_agent.as_deref().unwrap_or_default())) })
    }
}

/// The program's name: `Boto3` of `Boto3/1.38.13 md/Botocore#1.38.13 ...`.
fn family(user_agent: &str) -> &str {
    let text = user_agent.trim_start_matches(['[', ' ']);
    text.split(['/', ' ', ']']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activity;

    /// The origin of a call from this address with this user agent.
    fn origin(address: &str, user_agent: &str, console: bool) -> Option<Origin> {
        let record = serde_json::json!({
            "eventSource": "bedrock.amazonaws.com", "eventName": "InvokeModel", "eventTime": "2026-11-22T05:39:00Z",
            "recipientAccountId": "111122223333", "sourceIPAddress": address, "userAgent": user_agent,
            "sessionCredentialFromConsole": console.to_string(),
        });
        match crate::decode::decode(record.to_string().as_bytes()) {
            Ok(Activity::Call(call)) => Origin::of(&call),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_site_and_one_program_are_one_origin() {
        let check = |left: (&str, &str), right: (&str, &str), network: bool, user_agent: bool| {
            let of = |(address, agent)| origin(address, agent, false).expect("it has an origin");
            let (left, right) = (of(left), of(right));
            assert_eq!((left.network == right.network, left.user_agent == right.user_agent), (network, user_agent));
        };
        check(("192.0.2.1", "Boto3/1.38.13 md/x"), ("192.0.2.254", "Boto3/1.39.0"), true, true);
        check(("192.0.2.1", "Boto3/1"), ("192.0.3.1", "python-requests/2.31.0"), false, false);
        check(("192.0.2.1", "OpenAI/Python 1.97.1"), ("192.0.2.1", "OpenAI/JS 5"), true, true);
        check(("2001:db8:1:2::3", "[S3Console/0.4]"), ("2001:db8:1:ffff::", "S3Console/0.5"), true, true);
        check(("2001:db8:1::", ""), ("2001:db8:2::", "x"), false, false);
        assert_eq!(origin("bedrock.amazonaws.com", "bedrock.amazonaws.com", false), None);
        assert_eq!(origin("192.0.2.1", "Mozilla/5.0", true), None);
    }
}
