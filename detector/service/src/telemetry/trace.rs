//! Who a span is: ids of traces and spans, and how they are written.
//!
//! An alert's trace follows from its id, which follows from what happened. So after a crash, and on whatever worker goes
//! on with it, the same alert is the same trace; nothing has to be handed over, and whoever knows an alert's id knows
//! where to look.

use std::fmt;

use sha2::{Digest, Sha256};

/// A trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId([u8; 16]);

/// A span.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId([u8; 8]);

/// A span in its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpanContext {
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// Whether somebody keeps it.
    pub sampled: bool,
}

impl TraceId {
    /// The trace of an alert: its id, which has as many bits as a trace's.
    #[must_use]
    pub fn of_alert(alert: &str) -> Self {
        let is_ours = alert.len() == 32 && alert.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u128::from_str_radix(alert, 16).ok().filter(|number| is_ours && *number != 0);
        let hashed = || Sha256::digest(alert.as_bytes()).first_chunk().copied().unwrap_or([1; 16]);
        Self(number.map_or_else(hashed, u128::to_be_bytes))
    }

    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(fastrand::u128(1..).to_be_bytes())
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl SpanId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(fastrand::u64(1..).to_be_bytes())
    }

    /// The first span of an alert's trace, of which all others are part.
    #[must_use]
    pub fn root_of(trace: TraceId) -> Self {
        let low = u128::from_be_bytes(trace.0) & u128::from(u64::MAX);
        Self(u64::try_from(low).unwrap_or_default().max(1).to_be_bytes())
    }

    /// Its bytes.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        self.0.to_vec()
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl SpanContext {
    /// A span of an alert's trace other than the first.
    #[must_use]
    pub fn of_alert(alert: &str, sampled: bool) -> Self {
        Self { trace: TraceId::of_alert(alert), span: SpanId::random(), sampled }
    }

    /// W3C trace flags.
    #[must_use]
    pub const fn flags(self) -> u32 {
        self.sampled as u32
    }

    /// The header that passes it on (W3C Trace Context, version 00).
    #[must_use]
    pub fn traceparent(self) -> String {
        format!("00-{}-{}-{:02x}", self.trace, self.span, self.flags())
    }
}

/// The trace of an alert, as logs and alerts show it.
#[must_use]
pub fn trace_id(alert: &str) -> String {
    TraceId::of_alert(alert).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_its_trace() {
        let id = "0123456789abcdef0123456789abcdef";
        assert_eq!(trace_id(id), id);
        assert_eq!(SpanId::root_of(TraceId::of_alert(id)).to_string(), "0123456789abcdef");
        // Ids that are not ours, as in tests and in stores of other versions, have one as well.
        for odd in ["", "a", "0123456789abcdef0123456789abcdeX", &"0".repeat(32), "+123456789abcdef0123456789abcdef"] {
            assert_eq!(trace_id(odd), trace_id(odd));
            assert_eq!(trace_id(odd).len(), 32, "{odd}");
            assert_ne!(trace_id(odd), "0".repeat(32), "{odd}");
        }
        assert_ne!(trace_id("a"), trace_id("b"));
    }

    #[test]
    fn the_header_is_that_of_the_standard() {
        let context = SpanContext { span: SpanId([0, 1, 2, 3, 4, 5, 6, 7]), ..SpanContext::of_alert("ff", true) };
        let header = context.traceparent();
        let parts: Vec<&str> = header.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [2, 32, 16, 2]);
        assert_eq!((parts[0], parts[2], parts[3]), ("00", "0001020304050607", "01"));
    }
}
