//! The body of a webhook and its signature, as Standard Webhooks describes it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bedrock_watch_engine::alert::{Alert, AlertChange, ChangeKind};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::format::{Colour, Format};

/// The prefix of a secret.
const PREFIX: &str = "whsec_";
/// The shortest key, in bytes, that Standard Webhooks allows.
const KEY_BYTES_MIN: usize = 24;

/// The body: the alert in this form, with the id of its incident where the form has a place for it; without a line's
/// end.
#[must_use]
pub fn body(kind: ChangeKind, alert: &Alert, incident: Option<&str>, format: Format) -> String {
    let text = format.render_in(&AlertChange { kind, alert: alert.clone() }, incident, Colour::Never);
    text.trim_end().to_owned()
}

/// A key for signatures.
#[derive(Clone)]
pub struct SigningKey(Vec<u8>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

impl SigningKey {
    /// Reads `whsec_` and base64, or base64 alone.
    ///
    /// # Errors
    /// When it is something else, or too short; the message does not repeat it.
    pub fn parse(secret: &str) -> Result<Self, &'static str> {
        let encoded = secret.strip_prefix(PREFIX).unwrap_or(secret);
        let key =
            STANDARD.decode(encoded).map_err(|_| "it must be whsec_ and base64, as `openssl rand -base64 32` makes")?;
        if key.len() < KEY_BYTES_MIN {
            return Err("it must hold at least 24 bytes, as `openssl rand -base64 32` makes");
        }
        Ok(Self(key))
    }

    /// The header `webhook-signature` for a message.
    #[must_use]
    pub fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_reference_does() {
        // The example of the Standard Webhooks reference implementations.
        let key = SigningKey::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = key.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert_eq!(format!("{key:?}"), "***");
    }

    #[test]
    fn refuses_what_is_no_key() {
        for wrong in ["", "whsec_", "whsec_c2hvcnQ=", "not base64!", "hunter2"] {
            let error = SigningKey::parse(wrong).unwrap_err();
            assert!(wrong.is_empty() || !error.contains(wrong) || wrong == "whsec_", "{error}");
        }
    }
}
